import { BindError } from "../gate/index.ts";
import { type Engine, type NativeOptions, startHaproxy, startNative } from "../serve/index.ts";
import { TaskFailure } from "./failure.ts";

/**
 * Starts the gate of a configuration.
 * @throws TaskFailure when one of its addresses cannot be had
 */
export async function startGate(options: NativeOptions): Promise<Engine> {
  try {
    return await startNative(options);
  } catch (error) {
    if (!(error instanceof BindError)) throw error;
    const { file, line, column } = error.bind.at;
    throw new TaskFailure(`${file}:${line}:${column}: ${error.message}`, bindHint(error.code));
  }
}

function bindHint(code: string): string | undefined {
  if (code === "EADDRINUSE") return "stop the other process (ss -ltnp shows which), or choose another port";
  return undefined;
}

/**
 * Runs a file with real HAProxy until it ends or a signal comes.
 * @returns HAProxy's exit code; 0 when it was told to stop
 * @throws TaskFailure when HAProxy is not installed
 */
export async function runWithHaproxy(
  file: string,
  graceMs: number,
  told: (text: string) => void,
): Promise<number> {
  const engine = await startHaproxy(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new TaskFailure(
      "HAProxy is not installed",
      "Debian: apt-get install haproxy; or run without --engine haproxy",
    );
  });
  const stopped = runUntilSignal(engine, graceMs, told).then(() => 0);
  return Promise.race([engine.ended.then((code) => code ?? 0), stopped]);
}

/**
 * Waits for SIGINT or SIGTERM, then stops the engine: at once when no lane is open, else when the last one ends, the
 * grace time is over, or a second signal comes.
 * @param told  called with what is going on, for a person
 */
export async function runUntilSignal(
  engine: Engine,
  graceMs: number,
  told: (text: string) => void,
): Promise<void> {
  const signals = listenForSignals();
  await signals.first;
  const lanes = engine.openLanes;
  if (lanes > 0) {
    const seconds = Math.round(graceMs / 1_000);
    told(
      `stopping: ${lanes} open ${lanes === 1 ? "connection has" : "connections have"} ${seconds} s to end; again to stop at once`,
    );
  }
  await Promise.race([engine.stop(graceMs), signals.second.then(() => engine.stop(0))]);
  signals.stop();
}

/** One listener for both, so that there is no moment in which the second one would kill the process. */
function listenForSignals(): {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
  stop(): void;
} {
  const seen: (() => void)[] = [];
  const next = () => new Promise<void>((resolve) => void seen.push(resolve));
  const [first, second] = [next(), next()];
  const heard = () => seen.shift()?.();
  process.on("SIGINT", heard);
  process.on("SIGTERM", heard);
  const stop = () => {
    process.off("SIGINT", heard);
    process.off("SIGTERM", heard);
  };
  // Should even the hasty end hang, a third one kills.
  void second.then(stop);
  return { first, second, stop };
}
