import assert from "node:assert/strict";
import { once } from "node:events";
import type * as net from "node:net";
import { after, before, describe, test } from "node:test";
import { frame } from "../../src/gate/http2/testing/loopback.ts";
import { ask1, ask2, plain, secure, session2 } from "../support/clients.ts";
import { DEFAULTS } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { residentBytes } from "../support/memory.ts";
import { freePort, postern, type Running } from "../support/process.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

// A gate of its own process, so that its memory is its own.

const BIG = 200_000_000;
const GROWTH_MAX = 16_000_000;

let folder: Folder;
let upstream: Upstream;
let bytes: Upstream;
let gate: Running;
let port: number;
let tcpPort: number;

before(async () => {
  folder = await temporaryFolder();
  const api = await writeCertificates(folder, "api", ["kubernetes"]);
  upstream = await startUpstream({ tls: { cert: api.certificatePem, key: api.keyPem } });
  bytes = await startUpstream();
  [port, tcpPort] = [await freePort(), await freePort()];
  const file = await folder.write(
    "haproxy.cfg",
    `${DEFAULTS}
frontend gate
    bind 127.0.0.1:${port} ssl crt ${api.bundle} alpn h2,http/1.1
    default_backend api
frontend bytes
    mode tcp
    bind 127.0.0.1:${tcpPort}
    default_backend bytes
backend api
    server s 127.0.0.1:${upstream.port} ssl verify none
backend bytes
    mode tcp
    server s 127.0.0.1:${bytes.port}
`,
  );
  gate = postern(["run", "-f", file]);
  await gate.wrote(/listening on .*frontend bytes/);
  // Warm: what the engine and the runtime need for traffic at all is there before anything is measured.
  for (let round = 0; round < 3; round++) {
    assert.equal((await ask1(await secure({ port }), "/big?20000000")).text.length, 20_000_000);
    const session = await session2({ port });
    assert.equal((await ask2(session, "/big?20000000")).text.length, 20_000_000);
    session.destroy();
    assert.equal((await ask1(await plain(tcpPort), "/big?20000000")).text.length, 20_000_000);
  }
});

after(async () => {
  await gate?.stop("SIGKILL");
  await upstream?.close();
  await bytes?.close();
  await folder?.remove();
});

/** Waits until a number has stopped to grow, and is above nothing. */
async function settled(what: string, read: () => number): Promise<number> {
  let last = read();
  let since = performance.now();
  await until(what, () => {
    const now = read();
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    return last > 0 && performance.now() - since > 400;
  });
  return last;
}

/** Runs `stall`, and holds the gate's memory against what it was before. */
async function bounded(t: { diagnostic(text: string): void }, stall: () => Promise<void>): Promise<void> {
  const earlier = await residentBytes(gate.pid);
  await stall();
  const growth = (await residentBytes(gate.pid)) - earlier;
  t.diagnostic(`resident memory grew by ${Math.round(growth / 1000)} kB`);
  assert.ok(growth < GROWTH_MAX, `${growth} bytes more`);
}

async function neighbours(): Promise<void> {
  const session = await session2({ port });
  assert.equal((await ask2(session, "/x")).status, 200);
  session.destroy();
  assert.equal((await ask1(await secure({ port }), "/big?1000000")).text.length, 1_000_000);
}

const request = (path: string, more = "") =>
  `${more === "" ? "GET" : "POST"} ${path} HTTP/1.1\r\nHost: gate\r\n${more}\r\n`;

/** An h2 client whose windows are wide open: only TCP can hold its server back. */
async function wideOpen(path: string): Promise<net.Socket> {
  const socket = await secure({ port, alpn: ["h2"] });
  const text = Buffer.from(path);
  const head = Buffer.concat([
    Buffer.from([0x82, 0x87, 0x04, text.length]),
    text,
    Buffer.from([0x01, 4]),
    Buffer.from("gate"),
  ]);
  socket.write(
    Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(4, 0, 0, "0004 7fffffff"),
      frame(8, 0, 0, "7fff0000"),
      frame(1, 5, 1, head),
    ]),
  );
  return socket;
}

describe("a client that stops reading a large answer", () => {
  const cases = [
    { name: "h1", open: () => secure({ port }), from: () => upstream },
    { name: "a tunnel", open: () => plain(tcpPort), from: () => bytes },
  ] as const;
  for (const { name, open, from } of cases) {
    test(`${name}: the gate's memory stays, neighbours are served, and reading on gets all of it`, async (t) => {
      const stalled: net.Socket[] = [];
      await bounded(t, async () => {
        const earlier = from().poured;
        for (let at = 0; at < 4; at++) {
          const socket = await open();
          socket.pause();
          socket.write(request(`/big?${BIG}`, ""));
          stalled.push(socket);
        }
        const poured = await settled("the server to be held back", () => from().poured - earlier);
        t.diagnostic(`the server got rid of ${Math.round(poured / 4_000)} kB for each`);
        assert.ok(poured < BIG, "it is held back");
        await neighbours();
      });
      const [reader, ...others] = stalled;
      for (const socket of others) socket.destroy();
      assert.ok((await countTo(reader, BIG)) > BIG);
      reader?.destroy();
    });
  }

  test("h2, by TCP alone: the gate's memory stays and neighbours are served", async (t) => {
    const stalled: net.Socket[] = [];
    await bounded(t, async () => {
      const earlier = upstream.poured;
      for (let at = 0; at < 4; at++) {
        const socket = await wideOpen(`/big?${BIG}`);
        socket.pause();
        stalled.push(socket);
      }
      const poured = await settled("the server to be held back", () => upstream.poured - earlier);
      assert.ok(poured < BIG, "it is held back");
      await neighbours();
    });
    const [reader, ...others] = stalled;
    for (const socket of others) socket.destroy();
    assert.ok((await countTo(reader, BIG)) > BIG);
    reader?.destroy();
  });

  test("h2, one stream by its window: other streams of the same connection go on", async (t) => {
    const session = await session2({ port });
    await bounded(t, async () => {
      const stream = session.request({ ":path": `/big?${BIG}` });
      stream.on("error", () => {});
      stream.pause();
      await once(stream, "response");
      for (let at = 0; at < 50; at++) assert.equal((await ask2(session, "/x")).status, 200);
    });
    session.destroy();
  });
});

/** Reads so many bytes and then stops. */
function countTo(socket: net.Socket | undefined, bytesMin: number): Promise<number> {
  assert.ok(socket);
  return new Promise((resolve, reject) => {
    let read = 0;
    socket.on("close", () => reject(new Error(`closed after ${read} bytes`)));
    socket.on("data", (chunk: Buffer) => {
      read += chunk.length;
      if (read > bytesMin) resolve(read);
    });
    socket.resume();
  });
}

describe("a server that does not read a large upload", () => {
  const UPLOAD = 60_000_000;
  const cases = [
    { name: "h1", open: () => secure({ port }), to: () => upstream },
    { name: "a tunnel", open: () => plain(tcpPort), to: () => bytes },
  ] as const;
  for (const { name, open, to } of cases) {
    test(`${name}: the client is held back, the gate's memory stays, and reading on gets all of it`, async (t) => {
      const socket = await open();
      const earlier = to().sunk;
      let sent = 0;
      await bounded(t, async () => {
        socket.write(request("/sink", `Content-Length: ${UPLOAD}\r\nConnection: close\r\n`));
        const piece = Buffer.alloc(1_000_000);
        const more = () => {
          while (sent < UPLOAD) {
            sent += piece.length;
            if (!socket.write(piece)) return;
          }
        };
        socket.on("drain", more);
        more();
        await settled("the client to be held back", () => sent);
        assert.ok(sent < UPLOAD, "it is held back");
        await neighbours();
      });
      to().release();
      await once(socket, "data");
      assert.equal(to().sunk - earlier, UPLOAD);
      socket.destroy();
    });
  }
});
