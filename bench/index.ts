/**
 * npm run bench: Postern beside HAProxy on this machine, in one run. The same haproxy.cfg (the recipe's second example
 * with ALPN), the same certificate, cipher and upstream; load by h2load. The figure is CPU time of the proxy's process
 * per request, from /proc: wall time on a shared machine says little. Rounds are interleaved, medians printed.
 */
import { rm } from "node:fs/promises";
import { idleMemory } from "./idle.ts";
import { load, type Workload } from "./load.ts";
import { type Peer, startHaproxy, startPostern, startUpstream } from "./peers.ts";
import { median, spread, table } from "./table.ts";

const WORKLOADS: readonly Workload[] = [
  { name: "h1-1k", h2: false, connections: 16, streams: 1, requests: 40_000 },
  { name: "h2-1k", h2: true, connections: 8, streams: 10, requests: 60_000 },
];
const ROUNDS = 3;
const IDLE_LANES = 1_000;

const upstream = await startUpstream();
const peers: Peer[] = [];
try {
  peers.push(await startHaproxy(upstream), await startPostern(upstream));
  const rows: string[][] = [];
  for (const workload of WORKLOADS) rows.push(...(await compare(workload, peers)));
  rows.push(...(await compareIdle(peers)));
  process.stdout.write(table(["workload", "peer", "per unit", "spread", "ratio to haproxy"], rows));
} finally {
  for (const peer of peers) await peer.stop();
  await upstream.stop();
  await rm(upstream.folder, { recursive: true, force: true });
}

async function compare(workload: Workload, among: readonly Peer[]): Promise<string[][]> {
  for (const peer of among) await load(peer, { ...workload, requests: workload.requests / 4 });
  const rounds = new Map<string, number[]>(among.map((peer) => [peer.name, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const peer of among) {
      process.stderr.write(`${workload.name} round ${round} of ${ROUNDS}: ${peer.name}\n`);
      rounds.get(peer.name)?.push(await load(peer, workload));
    }
  }
  const base = median(rounds.get("haproxy") ?? []);
  return among.map((peer) => {
    const micros = rounds.get(peer.name) ?? [];
    return [
      workload.name,
      peer.name,
      `${median(micros).toFixed(1)} µs`,
      spread(micros),
      (median(micros) / base).toFixed(2),
    ];
  });
}

async function compareIdle(among: readonly Peer[]): Promise<string[][]> {
  const grown: number[] = [];
  for (const peer of among) {
    process.stderr.write(`idle lanes, ${IDLE_LANES} of them: ${peer.name}\n`);
    grown.push(await idleMemory(peer, IDLE_LANES));
  }
  const base = grown[0] ?? Number.NaN;
  return among.map((peer, index) => {
    const kilobytes = grown[index] ?? Number.NaN;
    return ["idle-h1", peer.name, `${kilobytes.toFixed(0)} KB`, "", (kilobytes / base).toFixed(2)];
  });
}
