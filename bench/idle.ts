import * as tls from "node:tls";
import type { Peer } from "./peers.ts";
import { residentKilobytes } from "./proc.ts";

/** How long memory may settle before it is read, ms. */
const SETTLE_MS = 1_500;

/**
 * Opens lanes that have had one request each and then say nothing.
 * @returns resident memory of the peer, KB a lane
 */
export async function idleMemory(peer: Peer, lanes: number): Promise<number> {
  const warm = await openLanes(peer, 50);
  await sleep(SETTLE_MS);
  const before = residentKilobytes(peer.pid);
  const sockets = await openLanes(peer, lanes);
  await sleep(SETTLE_MS);
  const grown = residentKilobytes(peer.pid) - before;
  for (const socket of [...warm, ...sockets]) socket.destroy();
  return grown / lanes;
}

async function openLanes(peer: Peer, count: number): Promise<tls.TLSSocket[]> {
  const sockets: tls.TLSSocket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(25, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openLane(peer)))));
  }
  return sockets;
}

function openLane(peer: Peer): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: "127.0.0.1", port: peer.port, rejectUnauthorized: false }, () => {
      socket.write("GET /api/v1/namespaces/team-1/pods HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    socket.once("data", (chunk) => {
      if (String(chunk).startsWith("HTTP/1.1 200")) resolve(socket);
      else reject(new Error(`${peer.name} answered ${String(chunk).slice(0, 60)}`));
    });
    socket.once("error", reject);
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
