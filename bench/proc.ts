import { readdirSync, readFileSync } from "node:fs";

/** CPU time of a process, all its threads, µs; from the scheduler's own count in ns (/proc/PID/task/TID/schedstat). */
export function cpuMicros(pid: number): number {
  let nanos = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanos / 1_000;
}

/** Resident memory, KB. */
export function residentKilobytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]);
}
