import { Command, InvalidArgumentError, Option } from "commander";
import { formatDiagnostic } from "../model/index.ts";
import {
  configure,
  runUntilSignal,
  runWithHaproxy,
  startGate,
  TaskFailure,
  withJsonLogs,
} from "../tasks/index.ts";
import { UserError } from "./outcome.ts";
import { say } from "./terminal.ts";

const EXAMPLES = `
Examples:
  postern run -f haproxy.cfg
  postern run -f haproxy.cfg --grace 30          give open streams 30 s when told to stop
  postern run -f haproxy.cfg --json-logs         one JSON object a line, for a log shipper
  postern run -f haproxy.cfg --engine haproxy    the same file by real HAProxy

Stops on SIGINT or SIGTERM: no new connections, clients are asked to leave, and what is still open when the grace time
is over is cut. A second signal stops at once.`;

/** Where neither flag nor file says. Below the 10 s after which the impatient supervisors kill (docker stop). */
const GRACE_SECONDS_DEFAULT = 8;

interface Flags {
  readonly file: string;
  /** Seconds; undefined: as the file says. */
  readonly grace?: number;
  readonly engine: "native" | "haproxy";
  readonly jsonLogs: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("Runs the gate that a configuration file describes, in the foreground.")
    .requiredOption("-f, --file <file>", "haproxy.cfg to run")
    .option(
      "--grace <seconds>",
      `how long open streams may go on after a signal (default: the file's hard-stop-after, else ${GRACE_SECONDS_DEFAULT})`,
      seconds,
    )
    .addOption(
      new Option("--engine <engine>", "native, or real HAProxy for what the native one does not understand")
        .choices(["native", "haproxy"])
        .default("native"),
    )
    .option(
      "--json-logs",
      "log lines as JSON, to the file's targets, or to stdout where it names none",
      false,
    )
    .addHelpText("after", EXAMPLES)
    .action(async (flags: Flags) => {
      const run = flags.engine === "native" ? runNative : runHaproxy;
      await run(flags).catch((error: unknown) => {
        throw error instanceof TaskFailure ? new UserError(error.message, error.hint) : error;
      });
    });
}

async function runNative({ file, grace, jsonLogs }: Flags): Promise<void> {
  const { problems, ready } = configure(file, process.env);
  for (const problem of problems) say(formatDiagnostic(problem));
  if (ready === undefined) throw new UserError(`${file} cannot be used`);
  const output = { stdout: process.stdout, stderr: process.stderr, pid: process.pid, onProblem: say };
  const configuration = jsonLogs ? withJsonLogs(ready.configuration) : ready.configuration;
  const engine = await startGate({ ...ready, configuration, output });
  for (const { frontend, host, port, tls } of engine.addresses) {
    const where = port === 0 ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
    say(`listening on ${where}${tls ? " (TLS)" : ""}, frontend ${frontend}`);
  }
  await runUntilSignal(engine, graceMs(grace, ready.configuration.global.hardStopAfterMs), say);
}

async function runHaproxy({ file, grace, jsonLogs }: Flags): Promise<void> {
  if (jsonLogs)
    throw new UserError("HAProxy has no JSON logs: leave out --json-logs, or --engine haproxy", undefined, 2);
  process.exitCode = await runWithHaproxy(file, graceMs(grace), say);
}

function graceMs(seconds: number | undefined, hardStopAfterMs?: number): number {
  return seconds === undefined ? (hardStopAfterMs ?? GRACE_SECONDS_DEFAULT * 1_000) : seconds * 1_000;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError("a number of seconds, 0 or more");
  return value;
}
