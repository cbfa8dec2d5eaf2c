import type { PodLog } from "../pod-log.ts";
import type { CommandStreams } from "./command-streams.ts";
import { successStatus } from "./exec.ts";

/**
 * Attaches to the pod's main process: what it writes to its log from now on; its input is read and forgotten.
 * @returns ends it
 */
export function attach(log: PodLog, streams: CommandStreams): () => void {
  streams.stdin?.resume();
  streams.sizes?.resume();
  return log.follow(
    (line) => streams.stdout?.write(`${line.text}\n`),
    () => {
      streams.stdout?.end();
      streams.stderr?.end();
      streams.error.end(JSON.stringify(successStatus), () => streams.finish());
    },
  );
}
