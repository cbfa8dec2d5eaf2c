import { type ChildProcess, spawn } from "node:child_process";
import type { Engine } from "./engine.ts";

/** Real HAProxy as the engine: it reads the file itself, and what it writes goes to this process's own output. */
export interface HaproxyEngine extends Engine {
  /** Resolves when HAProxy ends: its exit code, or undefined when a signal ended it. */
  readonly ended: Promise<number | undefined>;
}

/**
 * Starts `haproxy` in the foreground on a file (manual, management guide §3 `-db`, `-f`).
 * @throws NodeJS.ErrnoException ENOENT when it is not installed
 */
export async function startHaproxy(file: string): Promise<HaproxyEngine> {
  const child = spawn("haproxy", ["-db", "-f", file], { stdio: ["ignore", "inherit", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  const ended = new Promise<number | undefined>((resolve) => {
    child.once("exit", (code) => resolve(code ?? undefined));
  });
  return { addresses: [], openLanes: 0, ended, stop: (graceMs) => stopHaproxy(child, ended, graceMs) };
}

/** SIGUSR1: no new connections, it ends with the last one; SIGTERM: at once (management guide §4). */
async function stopHaproxy(child: ChildProcess, ended: Promise<unknown>, graceMs: number): Promise<void> {
  child.kill(graceMs > 0 ? "SIGUSR1" : "SIGTERM");
  const late = setTimeout(() => child.kill("SIGTERM"), graceMs);
  await ended;
  clearTimeout(late);
}
