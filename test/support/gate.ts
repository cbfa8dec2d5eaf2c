import type { Folder } from "./folder.ts";
import { freePort, postern, type Running } from "./process.ts";

/** The command `postern run`, listening. */
export interface RunningGate extends Running {
  readonly port: number;
}

/**
 * Writes haproxy.conf and runs it until it listens.
 * @param text  given the port it shall bind
 * @throws Error with all it wrote, when it ends instead
 */
export async function runGate(folder: Folder, text: (port: number) => string): Promise<RunningGate> {
  const port = await freePort();
  const file = await folder.write("haproxy.conf", text(port));
  const running = postern(["run", "-f", file]);
  try {
    await running.wrote(/^listening on .*$/m);
  } catch (error) {
    await running.stop("SIGKILL");
    throw error;
  }
  return { ...running, port };
}
