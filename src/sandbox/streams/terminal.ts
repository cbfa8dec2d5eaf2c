import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { at, type Json, parseJson } from "../json.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalCommand {
  readonly child: ChildProcess;
  readonly kill: () => void;
  /** Removes what was kept on disk for it; to be called when it has ended. */
  readonly cleanUp: () => void;
}

/** A client tells its size right after the streams are open; the command should see it from its first moment. */
const sizeWaitMs = 250;

/**
 * Runs a command on a terminal of its own. Node has none to give, so `script` of util-linux makes one (Debian:
 * bsdutils, always there), with a small shell in between that notes which terminal it is, so that `stty` can be told of a
 * new size from outside.
 * @param sizes  the client's sizes, as JSON
 * @throws Error when this machine has no such `script`
 */
export async function spawnOnTerminal(
  command: readonly string[],
  options: { readonly cwd: string; readonly env: Record<string, string> },
  sizes: Readable | undefined,
): Promise<TerminalCommand> {
  const script = ["/usr/bin/script", "/bin/script"].find((path) => existsSync(path));
  if (process.platform !== "linux" || script === undefined) throw new Error("script (util-linux)");
  const notes = mkdtempSync(join(tmpdir(), "postern-terminal-"));
  const size = await firstSize(sizes, (later) => resize(notes, later));
  const setSize = size === undefined ? "" : `stty rows ${size.rows} cols ${size.columns}; `;
  const prelude = `tty >"$0/tty"; echo $$ >"$0/pid"; ${setSize}exec "$@"`;
  const line = ["exec", "sh", "-c", prelude, notes, ...command].map(quote).join(" ");
  const child = spawn(
    script,
    ["--quiet", "--return", "--flush", "--echo", "always", "--command", line, "/dev/null"],
    {
      cwd: options.cwd,
      env: options.env,
      detached: true,
    },
  );
  return {
    child,
    kill: () => {
      killGroup(noteOf(notes, "pid"));
      killGroup(child.pid);
    },
    cleanUp: () => rmSync(notes, { recursive: true, force: true }),
  };
}

/** @returns the first size if it comes in time; later ones go to `onLater` */
function firstSize(
  sizes: Readable | undefined,
  onLater: (size: TerminalSize) => void,
): Promise<TerminalSize | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), sizes === undefined ? 0 : sizeWaitMs);
    let isFirst = true;
    if (sizes === undefined) return;
    readSizes(sizes, (size) => {
      if (!isFirst) return onLater(size);
      isFirst = false;
      clearTimeout(timer);
      resolve(size);
    });
  });
}

/** Cuts `{"Width":80,"Height":24}` objects out of a stream, however they arrive. */
export function readSizes(sizes: Readable, onSize: (size: TerminalSize) => void): void {
  let text = "";
  sizes.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = sizeOf(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size !== undefined) onSize(size);
    }
  });
}

function sizeOf(text: string): TerminalSize | undefined {
  let value: Json;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  const columns = Number(at(value, "Width"));
  const rows = Number(at(value, "Height"));
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/** The note of the terminal's name may not be written yet: then once more a little later. */
function resize(notes: string, size: TerminalSize, triesLeft = 20): void {
  const path = noteText(notes, "tty");
  if (!path.startsWith("/dev/")) {
    if (triesLeft > 0) setTimeout(() => resize(notes, size, triesLeft - 1), 25).unref();
    return;
  }
  execFile("stty", ["-F", path, "rows", String(size.rows), "cols", String(size.columns)], () => {});
}

/** Kills a process that leads a group, and the group. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

function noteOf(notes: string, name: string): number | undefined {
  const value = Number(noteText(notes, name));
  return value > 0 ? value : undefined;
}

function noteText(notes: string, name: string): string {
  try {
    return readFileSync(join(notes, name), "utf8").trim();
  } catch {
    return "";
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
