import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../json.ts";
import type { CommandStreams } from "./command-streams.ts";
import { killGroup, spawnOnTerminal } from "./terminal.ts";

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly podName: string;
  /** The folder that stands for the pod's file system. */
  readonly root: string;
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Output that is still under way after the command has ended is awaited this long. */
const drainMs = 500;

/**
 * Runs a command of this machine in the pod's folder and tells its end on the error stream.
 * @returns kills it, when the client has gone
 */
export function runCommand(request: ExecRequest, streams: CommandStreams): () => void {
  const command = insideRoot(request.command);
  const program = command[0] ?? "";
  if (!isExecutable(program, request.root)) {
    finish(streams, internalError(program));
    return () => {};
  }
  const environment = environmentOf(request);
  if (request.tty) return runOnTerminal(command, request, environment, streams);
  const child = spawn(program, command.slice(1), { cwd: request.root, env: environment, detached: true });
  connect(child, streams);
  whenEnded(child, (status) => finish(streams, status));
  return () => killGroup(child.pid);
}

function runOnTerminal(
  command: readonly string[],
  request: ExecRequest,
  env: Record<string, string>,
  streams: CommandStreams,
): () => void {
  let kill = (): void => {};
  let isGone = false;
  const terminal = spawnOnTerminal(command, { cwd: request.root, env }, streams.sizes);
  terminal.then(
    (started) => {
      kill = started.kill;
      whenEnded(started.child, (status) => {
        started.cleanUp();
        finish(streams, status);
      });
      if (isGone) kill();
      else connect(started.child, streams);
    },
    (error: Error) => finish(streams, internalError(error.message)),
  );
  return () => {
    isGone = true;
    kill();
  };
}

function connect(child: ChildProcess, streams: CommandStreams): void {
  child.stdin?.on("error", () => {}); // the command ended without reading all
  if (streams.stdin === undefined) child.stdin?.end();
  else if (child.stdin !== null) streams.stdin.pipe(child.stdin);
  for (const [from, to] of [
    [child.stdout, streams.stdout],
    [child.stderr, streams.stderr],
  ] as const) {
    if (to === undefined) from?.resume();
    else from?.pipe(to);
  }
}

/** Calls back once, with the Status of the command's end, when its output has been read too. */
function whenEnded(child: ChildProcess, onEnd: (status: JsonObject) => void): void {
  let isTold = false;
  const tell = (status: JsonObject): void => {
    if (!isTold) onEnd(status);
    isTold = true;
  };
  child.on("error", (error) => tell(internalError(error.message)));
  child.on("exit", (code, signal) => {
    const status = exitStatus(code ?? 128 + signalNumber(signal));
    child.on("close", () => tell(status));
    // A command left in the background may hold the output open for ever.
    setTimeout(() => tell(status), drainMs);
  });
}

function finish(streams: CommandStreams, status: JsonObject): void {
  for (const output of [streams.stdout, streams.stderr]) if (output?.writableEnded === false) output.end();
  streams.error.end(JSON.stringify(status), () => streams.finish());
}

export const successStatus: JsonObject = { metadata: {}, status: "Success" };

/** client-go reads the code from the cause (tools/remotecommand/errorstream.go). */
function exitStatus(code: number): JsonObject {
  if (code === 0) return successStatus;
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

function internalError(program: string): JsonObject {
  const message =
    "error executing command in container: failed to exec in container: OCI runtime exec failed: exec failed: " +
    `unable to start container process: exec: ${JSON.stringify(program)}: executable file not found in $PATH: unknown`;
  return {
    metadata: {},
    status: "Failure",
    message: `Internal error occurred: ${message}`,
    reason: "InternalError",
    details: { causes: [{ message }] },
    code: 500,
  };
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

function signalNumber(signal: string | null): number {
  return signalNumbers[signal ?? ""] ?? 1;
}

/**
 * Programs whose absolute paths are taken as paths in the pod's folder. The working directory is that folder, so a path
 * only loses its leading slash. That serves `kubectl cp` (tar, test) and a look around; a shell sees the machine itself.
 */
const pathPrograms = new Set(["cat", "ls", "mkdir", "rm", "stat", "tar", "test", "touch", "wc"]);

export function insideRoot(command: readonly string[]): string[] {
  const [program = "", ...words] = command;
  if (!pathPrograms.has(program)) return [...command];
  return [program, ...words.map((word) => (word.startsWith("/") ? word.replace(/^\/+/, "") || "." : word))];
}

function environmentOf(request: ExecRequest): Record<string, string> {
  return {
    HOME: join(request.root, "root"),
    HOSTNAME: request.podName,
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT: "443",
    PATH: searchPath,
    TMPDIR: join(request.root, "tmp"),
    ...(request.tty && { TERM: "xterm", SHELL: "/bin/sh" }),
  };
}

function isExecutable(program: string, root: string): boolean {
  if (program === "") return false;
  const candidates = program.includes("/")
    ? [program.startsWith("/") ? program : join(root, program)]
    : searchPath.split(":").map((folder) => join(folder, program));
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
