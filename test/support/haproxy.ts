import { writeFile } from "node:fs/promises";
import { type Running, start, untilListening } from "./process.ts";

/** Real HAProxy in the foreground on a configuration text; `-db` keeps it one process. */
export async function startHaproxy(file: string, text: string, port: number): Promise<Running> {
  await writeFile(file, text);
  const running = start("haproxy", ["-db", "-f", file]);
  const ended = running.exited.then((code) => {
    throw new Error(`haproxy ended with ${code}:\n${running.output()}`);
  });
  ended.catch(() => {}); // after the start it is the test that stops it
  await Promise.race([untilListening(port), ended]);
  return running;
}
