import { spawn } from "node:child_process";
import type { Peer } from "./peers.ts";
import { cpuMicros } from "./proc.ts";

export interface Workload {
  readonly name: string;
  readonly h2: boolean;
  readonly connections: number;
  /** At once on each connection. */
  readonly streams: number;
  readonly requests: number;
}

// As kubectl sends them: a bearer token of the usual size and the headers it adds.
const HEADERS = [
  `authorization: Bearer ${"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ".padEnd(1_100, "x")}`,
  "accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
  "user-agent: kubectl/v1.35.0 (linux/amd64) kubernetes/0000000",
  "kubectl-command: kubectl get",
  "kubectl-session: 6a2c7e5e-8f2f-4a0e-9d0c-7b8d0f1e2a3b",
];

/**
 * Runs one round through a peer.
 * @returns CPU time of the peer's process, µs a request
 * @throws when a single answer was not a 200: a fast wrong answer is no result
 */
export async function load(peer: Peer, workload: Workload): Promise<number> {
  const before = cpuMicros(peer.pid);
  const args = [
    ...(workload.h2 ? [] : ["--h1"]),
    `--clients=${workload.connections}`,
    `--requests=${workload.requests}`,
    `--max-concurrent-streams=${workload.streams}`,
    ...HEADERS.map((header) => `--header=${header}`),
    ...paths(peer.port),
  ];
  const output = await run("h2load", args);
  const used = cpuMicros(peer.pid) - before;
  const done = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output);
  if (done === null || Number(done[1]) !== workload.requests) {
    throw new Error(`${peer.name}, ${workload.name}: not every answer was a 200\n${output}`);
  }
  return used / workload.requests;
}

/** Paths change from request to request, as a client's do. */
function paths(port: number): string[] {
  return Array.from(
    { length: 16 },
    (_, n) => `https://127.0.0.1:${port}/api/v1/namespaces/team-${n}/pods?limit=500`,
  );
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) =>
      reject(new Error(`${command} is needed (Debian: nghttp2-client): ${error.message}`)),
    );
    child.on("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} failed:\n${output}`)),
    );
  });
}
