import { Command, InvalidArgumentError, Option } from "commander";
import { formatDiagnostic } from "../model/index.ts";
import { configure, runUntilSignal, runWithHaproxy, startGate, TaskFailure } from "../tasks/index.ts";
import { UserError } from "./outcome.ts";
import { say } from "./terminal.ts";

const EXAMPLES = `
Examples:
  postern run -f haproxy.cfg
  postern run -f haproxy.cfg --grace 30          give open streams 30 s when told to stop
  postern run -f haproxy.cfg --engine haproxy    the same file by real HAProxy

Stops on SIGINT or SIGTERM: no new connections, clients are asked to leave, and what is still open when the grace time
is over is cut. A second signal stops at once.`;

/** Below the 10 s after which the impatient supervisors kill (docker stop). */
const GRACE_SECONDS_DEFAULT = 8;

export function runCommand(): Command {
  return new Command("run")
    .description("Runs the gate that a configuration file describes, in the foreground.")
    .requiredOption("-f, --file <file>", "haproxy.cfg to run")
    .option(
      "--grace <seconds>",
      "how long open streams may go on after a signal",
      seconds,
      GRACE_SECONDS_DEFAULT,
    )
    .addOption(
      new Option("--engine <engine>", "native, or real HAProxy for what the native one does not understand")
        .choices(["native", "haproxy"])
        .default("native"),
    )
    .addHelpText("after", EXAMPLES)
    .action(async (flags: { file: string; grace: number; engine: "native" | "haproxy" }) => {
      const run = flags.engine === "native" ? runNative : runHaproxy;
      await run(flags.file, flags.grace * 1_000).catch((error: unknown) => {
        throw error instanceof TaskFailure ? new UserError(error.message, error.hint) : error;
      });
    });
}

async function runNative(file: string, graceMs: number): Promise<void> {
  const { problems, ready } = configure(file, process.env);
  for (const problem of problems) say(formatDiagnostic(problem));
  if (ready === undefined) throw new UserError(`${file} cannot be used`);
  const output = { stdout: process.stdout, stderr: process.stderr, pid: process.pid, onProblem: say };
  const engine = await startGate({ ...ready, output });
  for (const { frontend, host, port, tls } of engine.addresses) {
    const where = port === 0 ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
    say(`listening on ${where}${tls ? " (TLS)" : ""}, frontend ${frontend}`);
  }
  await runUntilSignal(engine, graceMs, say);
}

async function runHaproxy(file: string, graceMs: number): Promise<void> {
  process.exitCode = await runWithHaproxy(file, graceMs, say);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError("a number of seconds, 0 or more");
  return value;
}
