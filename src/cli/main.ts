import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { UserError } from "./outcome.ts";

/** A command is loaded when it is called: `--help` stays quick. */
interface CommandEntry {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  load(): Promise<Command>;
}

const COMMANDS: readonly CommandEntry[] = [
  {
    name: "run",
    usage: "-f FILE",
    summary: "run a gate from a configuration file",
    load: async () => (await import("./run.ts")).runCommand(),
  },
  {
    name: "check",
    usage: "-f FILE",
    summary: "print every problem of a configuration file, with its place and its mend",
    load: async () => (await import("./check.ts")).checkCommand(),
  },
  {
    name: "cert",
    usage: "WHAT",
    summary: "make or look at certificates",
    load: async () => (await import("./cert.ts")).certCommand(),
  },
  {
    name: "kubeconfig",
    usage: "--server URL",
    summary: "write a kubeconfig for the people outside",
    load: async () => (await import("./kubeconfig.ts")).kubeconfigCommand(),
  },
  {
    name: "demo",
    usage: "[--once]",
    summary: "a Kubernetes API, a gate in front of it and a kubeconfig, all on this machine",
    load: async () => (await import("./demo.ts")).demoCommand(),
  },
];

const EXAMPLES = `
Examples:
  postern demo                        see it work, nothing else needed
  postern check -f haproxy.cfg        what is wrong with this file
  postern run -f haproxy.cfg          run the gate it describes
  postern cert self-signed --host gate.example.com --dir tls --ca

"postern COMMAND --help" shows flags and examples of one command.`;

const EXIT_USAGE = 2;
const EXIT_INTERNAL = 70;

// Whoever reads our output may have seen enough (`| head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const program = await programFor(args[0] === "help" ? args[1] : args[0]);
    await program.parseAsync([...args], { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    return explain(error);
  }
}

/** The program with the one command that is asked for, or with all their summaries. */
async function programFor(word: string | undefined): Promise<Command> {
  const program = new Command("postern")
    .description("A small gate for private Kubernetes APIs.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  for (const entry of COMMANDS) {
    const command =
      entry.name === word
        ? await entry.load()
        : new Command(entry.name).usage(entry.usage).description(entry.summary);
    program.addCommand(strict(command));
  }
  return program;
}

/** Usage mistakes throw, here and in subcommands, so that one place decides the exit code. */
function strict(command: Command, parents = "postern"): Command {
  const called = `${parents} ${command.name()}`;
  command.exitOverride().showHelpAfterError(`(try "${called} --help")`);
  for (const child of command.commands) strict(child, called);
  return command;
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof UserError) {
    process.stderr.write(
      `postern: ${error.message}\n${error.hint === undefined ? "" : `    ${error.hint}\n`}`,
    );
    return error.exitCode;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`postern: this is a mistake in Postern itself; please report it.\n${detail}\n`);
  return EXIT_INTERNAL;
}

function version(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version: number } = JSON.parse(text) as { version: string };
  return number;
}
