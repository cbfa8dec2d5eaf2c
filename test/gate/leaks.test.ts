import assert from "node:assert/strict";
import { once } from "node:events";
import type * as http2 from "node:http2";
import type * as net from "node:net";
import { after, before, describe, test } from "node:test";
import { ask1, begin, plain, reset, restOf, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isHandshake, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { openFiles, residentBytes } from "../support/memory.ts";
import { freePort, postern } from "../support/process.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

// What a day of kubectl must not leave behind: lanes, sockets, timers, places in the pools.

let folder: Folder;
let certificates: Awaited<ReturnType<typeof writeCertificates>>;
let upstream: Upstream;

before(async () => {
  folder = await temporaryFolder();
  certificates = await writeCertificates(folder, "gate", ["gate.example.com"]);
  upstream = await startUpstream({
    tls: { cert: certificates.certificatePem, key: certificates.keyPem },
  });
});

after(async () => {
  await upstream?.close();
  await folder?.remove();
});

function configuration(port: number): string {
  return `${DEFAULTS}
frontend gate
    bind 127.0.0.1:${port} ssl crt ${certificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    retries 0
    server s 127.0.0.1:${upstream.port} ssl verify none
`;
}

interface Client {
  kill(how: "fin" | "reset"): void;
}

/** 1,000 idle watches: on h1, on h2 one a connection, and on h2 fifty a connection. */
async function openWatches(port: number): Promise<readonly Client[]> {
  const clients: Client[] = [];
  const add = (socket: net.Socket) =>
    clients.push({ kill: (how) => (how === "reset" ? reset(socket) : socket.destroy()) });
  const one1 = async () => {
    const socket = await secure({ port });
    socket.write("GET /watch HTTP/1.1\r\nHost: gate\r\n\r\n");
    await once(socket, "data");
    add(socket);
  };
  const many2 = async (count: number) => {
    const session = await session2({ port });
    await Promise.all(Array.from({ length: count }, () => watch2(session)));
    clients.push({ kill: () => session.destroy() });
  };
  await inTurns(200, one1);
  await inTurns(100, () => many2(1));
  await inTurns(14, () => many2(50));
  return clients;
}

/** Of `openWatches`. */
const LANES = 314;

/** Every other one by a reset. */
function kill(clients: readonly Client[]): void {
  for (const [index, client] of clients.entries()) client.kill(index % 2 === 0 ? "fin" : "reset");
}

async function watch2(session: http2.ClientHttp2Session): Promise<void> {
  const stream = session.request({ ":path": "/watch" });
  stream.on("error", () => {});
  await once(stream, "data");
}

/** Does something so many times, a few at once. */
async function inTurns(count: number, work: () => Promise<unknown>, atOnce = 16): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function resources(): Record<string, number> {
  const counts: Record<string, number> = { Timeout: 0, TCPSocketWrap: 0, TLSWrap: 0 };
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

describe("1,000 idle watches, then all clients are killed", () => {
  test("in this process: lanes, streams, places, sockets and timers are back to the level before", async (t) => {
    const gate = await startGate(configuration(6443));
    t.after(() => gate.close());
    await await openAndKillOne(gate.port());
    await gate.empty();
    await until("the server's sockets to go", () => upstream.open === 0);
    const earlier = resources();
    const clients = await openWatches(gate.port());
    assert.equal(gate.gate.openLanes, LANES);
    assert.equal(gate.gate.openRequests, 1_000);
    assert.equal(gate.pools.get("api")?.lanes, LANES);
    kill(clients);
    await gate.empty();
    assert.equal(gate.gate.openRequests, 0);
    await until("the server's sockets to go", () => upstream.open === 0);
    const grown = () =>
      Object.entries(resources()).filter(
        ([kind, count]) => count > (earlier[kind] ?? 0) + (kind === "Timeout" ? 2 : 0),
      );
    await until("resources to go", () => grown().length === 0, 10_000, grown);
    assert.equal(gate.events.filter(({ kind }) => kind === "request").length, 1_001);
  });

  test("in a process of its own: file descriptors too; and it stops at once", async (t) => {
    const port = await freePort();
    const running = postern(["run", "-f", await folder.write("leaks.cfg", configuration(port))]);
    t.after(() => running.stop("SIGKILL"));
    await running.wrote(/listening on/);
    await openAndKillOne(port);
    await until("the server's sockets to go", () => upstream.open === 0);
    const earlier = await openFiles(running.pid);
    const memory = await residentBytes(running.pid);
    const clients = await openWatches(port);
    assert.equal((await openFiles(running.pid)) - earlier, 2 * LANES);
    const grown = (await residentBytes(running.pid)) - memory;
    t.diagnostic(
      `resident memory grew by ${Math.round(grown / LANES / 1_000)} kB for each of ${LANES} lanes`,
    );
    kill(clients);
    await until("the descriptors to go", async () => (await openFiles(running.pid)) <= earlier);
    assert.equal(await running.stop("SIGTERM"), 0);
    assert.doesNotMatch(running.output(), /stopping: /);
  });
});

async function openAndKillOne(port: number): Promise<void> {
  const socket = await secure({ port });
  socket.write("GET /watch HTTP/1.1\r\nHost: gate\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
}

test("2,000 short connections, refused handshakes and aborted dials among them, leave nothing behind", async (t) => {
  const gate = await startGate(configuration(6443));
  t.after(() => gate.close());
  await openAndKillOne(gate.port());
  await gate.empty();
  await until("the server's sockets to go", () => upstream.open === 0);
  const earlier = resources();
  let turn = 0;
  await inTurns(2_000, () => visit(gate, turn++));
  await gate.empty();
  await until("the server's sockets to go", () => upstream.open === 0);
  const grown = () =>
    Object.entries(resources()).filter(
      ([kind, count]) => count > (earlier[kind] ?? 0) + (kind === "Timeout" ? 2 : 0),
    );
  await until("resources to go", () => grown().length === 0, 10_000, grown);
  const reasons = new Set(gate.events.filter(isHandshake).map(({ reason }) => reason));
  for (const reason of ["handshake_closed", "handshake_failed", "not_tls"]) {
    assert.ok(
      [...reasons].some((seen) => seen === reason),
      reason,
    );
  }
});

/** One of the ways in which a client comes and goes. */
async function visit(gate: GateUnderTest, turn: number): Promise<void> {
  const port = gate.port();
  switch (turn % 16) {
    case 0: {
      const session = await session2({ port });
      session.request({ ":path": "/x" }).on("error", () => {});
      session.destroy();
      return;
    }
    case 1: {
      const socket = await plain(port);
      socket.end("SSH-2.0-x\r\n");
      await restOf(socket);
      return;
    }
    case 2: {
      const socket = begin({ port, maxVersion: "TLSv1.1", minVersion: "TLSv1" });
      await restOf(socket);
      return;
    }
    case 3:
    case 4: {
      // Gone before TLS, or just as it stands and the server is dialled.
      const socket = begin({ port });
      await new Promise((resolve) => setTimeout(resolve, turn % 7));
      if (turn % 2 === 0) reset(socket);
      else socket.destroy();
      return;
    }
    case 6: {
      const socket = await secure({ port });
      socket.write("GET /hang HTTP/1.1\r\nHost: gate\r\n\r\n");
      if (turn % 32 === 6) await new Promise((resolve) => setTimeout(resolve, turn % 5));
      socket.destroy();
      return;
    }
    case 7:
    case 8:
      assert.equal((await ask1(await secure({ port }), "/x")).status, 200);
      return;
    default: {
      const socket = await plain(port);
      if (turn % 2 === 0) reset(socket);
      else socket.destroy();
    }
  }
}
