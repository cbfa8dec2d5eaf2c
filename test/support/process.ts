import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as net from "node:net";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A program under test, with everything it ever wrote. */
export interface Running {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** stdout and stderr together, in the order they came. */
  readonly output: () => string;
  /** Waits until something it wrote (on either stream, from character `from` of `output`) matches. */
  wrote(pattern: RegExp, timeoutMs?: number, from?: number): Promise<RegExpExecArray>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  readonly exited: Promise<number | null>;
}

/** Starts a program; stop it in a `finally` or an `after`. */
export function start(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Running {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  if (child.pid === undefined) {
    throw new Error(`${command} cannot be started; npm test installs what is needed`);
  }
  const written = { stdout: "", stderr: "", both: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      written.both += text;
      for (const listener of [...listeners]) listener();
    });
  }
  const exited = once(child, "close").then(() => child.exitCode);
  return {
    pid: child.pid,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    output: () => written.both,
    wrote: (pattern, timeoutMs = 15_000, from = 0) =>
      untilWritten(child, () => written.both.slice(from), pattern, listeners, timeoutMs),
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
    exited,
  };
}

function untilWritten(
  child: ChildProcess,
  text: () => string,
  pattern: RegExp,
  listeners: Set<() => void>,
  timeoutMs: number,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      listeners.delete(look);
      child.off("close", gone);
    };
    const look = () => {
      const found = pattern.exec(text());
      if (found === null) return;
      settle();
      resolve(found);
    };
    const fail = (why: string) => {
      settle();
      reject(new Error(`waited for ${pattern}, ${why}; it wrote:\n${text()}`));
    };
    const gone = () => {
      look();
      fail("but it ended");
    };
    const timer = setTimeout(() => fail(`not seen within ${timeoutMs} ms`), timeoutMs);
    listeners.add(look);
    child.once("close", gone);
    look();
  });
}

/** Runs a program to its end. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const running = start(command, args, env);
  const code = await running.exited;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

/** What `bin/postern` runs, of the same build as the test that calls this. */
const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** The command `postern`. */
export function postern(args: readonly string[], env?: NodeJS.ProcessEnv): Running {
  const { command, words } = posternCommand(args);
  return start(command, words, env);
}

/** The words of that command, for whoever starts it through something else. */
export function posternCommand(args: readonly string[]) {
  return { command: process.execPath, words: [MAIN, ...args] } as const;
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until something accepts connections there. */
export async function untilListening(port: number, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error(`nothing listens on port ${port} after ${timeoutMs} ms`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
