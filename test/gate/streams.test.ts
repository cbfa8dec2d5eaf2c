import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { after, before, describe, test } from "node:test";
import {
  type ApiTarget,
  exec,
  openPortForward,
  podEchoPort,
  type Sandbox,
  startSandbox,
} from "../../src/sandbox/index.ts";
import { plain, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isRequest, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { until } from "../support/until.ts";

const TOKEN = "admin-token";
const POD = "/api/v1/namespaces/default/pods/web";

let folder: Folder;
let sandbox: Sandbox;
let certificates: Awaited<ReturnType<typeof writeCertificates>>;

before(async () => {
  folder = await temporaryFolder();
  certificates = await writeCertificates(folder, "gate", ["127.0.0.1"]);
  sandbox = await startSandbox({
    tls: { cert: certificates.certificatePem, key: certificates.keyPem },
    tokens: { [TOKEN]: { name: "admin", groups: ["system:masters"] } },
    logIntervalMs: 0,
  });
});

after(async () => {
  await sandbox?.close();
  await folder?.remove();
});

async function gateWith(t: { after(fn: () => unknown): void }, timeouts = ""): Promise<GateUnderTest> {
  const gate = await startGate(`${DEFAULTS}
    ${timeouts}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server s ${sandbox.host}:${sandbox.port} ssl verify required ca-file ${certificates.ca} verifyhost 127.0.0.1
`);
  t.after(() => gate.close());
  return gate;
}

function target(gate: GateUnderTest): ApiTarget {
  return { url: `https://127.0.0.1:${gate.port()}`, ca: certificates.caPem, token: TOKEN };
}

for (const transport of ["websocket", "spdy"] as const) {
  test(`exec and port-forward over ${transport}, one lane each, told when they are over`, async (t) => {
    const gate = await gateWith(t);
    const ran = await exec(target(gate), POD, ["sh", "-c", "cat; echo oops >&2; exit 7"], {
      transport,
      stdin: "to be read\n",
    });
    assert.deepEqual(ran, { stdout: "to be read\n", stderr: "oops\n", exitCode: 7 });
    const forward = await openPortForward(target(gate), POD, transport);
    const sent = Buffer.alloc(1_000_000, "0123456789");
    const [first, second] = await Promise.all([
      forward.exchange(podEchoPort, sent),
      forward.exchange(podEchoPort, "a second stream"),
    ]);
    assert.ok(first.equals(sent));
    assert.equal(second.toString(), "a second stream");
    forward.close();
    await gate.empty();
    const ended = gate.events.filter(isRequest);
    assert.deepEqual(
      ended.map(({ status, upgraded }) => [status, upgraded]),
      [
        [101, true],
        [101, true],
      ],
    );
    await until("the sandbox to have none", () => sandbox.openStreams() === 0);
  });
}

test("a client that ended its half before the 101 came does not keep the stream open", async (t) => {
  // Where the FIN is heard first the tunnel must learn of it; where it comes second it hears by itself.
  let heardFin = false;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("end", () => {
      heardFin = true;
    });
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const gate = await startGate(`${DEFAULTS}
    timeout tunnel 1h
    timeout client-fin 200ms
frontend gate
    bind 127.0.0.1:6080
    default_backend api
backend api
    server s 127.0.0.1:${(server.address() as net.AddressInfo).port}
`);
  t.after(() => gate.close());
  const client = await plain(gate.port(), { allowHalfOpen: true });
  client.end("GET / HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  client.resume();
  await gate.empty();
  assert.ok(heardFin, "the server hears of it too");
});

/** An upgraded stream to the sandbox's shell that waits for input, by hand. */
async function openShell(gate: GateUnderTest): Promise<net.Socket> {
  const socket = await secure({ port: gate.port(), ca: certificates.caPem });
  socket.write(
    `GET ${POD}/exec?command=cat&stdin=true&stdout=true HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n` +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      `Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  assert.match(head.toString("latin1"), /^HTTP\/1\.1 101 /);
  return socket;
}

/** A masked WebSocket frame with a mask of zeros (RFC 6455 §5.2). */
function webSocketFrame(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text, "latin1");
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

describe("an upgraded stream", () => {
  test("a client that sends FIN has client-fin, then the lane is over", async (t) => {
    const gate = await gateWith(t, "timeout client-fin 300ms");
    const socket = await openShell(gate);
    const began = performance.now();
    socket.end();
    await gate.empty();
    assert.ok(performance.now() - began < 5_000);
    const ended = await gate.told("its end", isRequest);
    assert.equal(ended.upgraded, true);
    await until("the sandbox to know", () => sandbox.openStreams() === 0);
  });

  test("a client that is killed ends its server's stream at once", async (t) => {
    const gate = await gateWith(t);
    const socket = await openShell(gate);
    socket.destroy();
    await gate.empty();
    await until("the sandbox to know", () => sandbox.openStreams() === 0);
  });

  test("a server that is killed ends its client's stream at once", async (t) => {
    const gate = await gateWith(t);
    const socket = await openShell(gate);
    const closed = once(socket, "close");
    sandbox.cut();
    await closed;
    await gate.empty();
    assert.equal((await gate.told("its end", isRequest)).termination, "SD--");
  });

  test("silence is cut after timeout tunnel, not after the client's or the server's", async (t) => {
    const gate = await gateWith(t, "timeout client 300ms\n timeout server 300ms\n timeout tunnel 1200ms");
    const socket = await openShell(gate);
    const began = performance.now();
    await once(socket.resume(), "close");
    const lasted = performance.now() - began;
    assert.ok(lasted >= 1_100, `${lasted} ms`);
    const ended = await gate.told("its end", isRequest);
    assert.deepEqual([ended.termination, ended.reason], ["cD--", "tunnel_idle"]);
    await gate.empty();
  });

  test("pings keep it alive beyond timeout tunnel", async (t) => {
    const gate = await gateWith(t, "timeout tunnel 500ms");
    const socket = await openShell(gate);
    const received: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    const began = performance.now();
    const pings = setInterval(() => socket.write(webSocketFrame(9, "ping")), 100);
    t.after(() => clearInterval(pings));
    await until("three times the timeout", () => performance.now() - began > 1_500);
    socket.write(webSocketFrame(2, "\x00still here\n"));
    await until("the shell's answer", () => Buffer.concat(received).includes("still here"));
    clearInterval(pings);
    socket.destroy();
    await gate.empty();
  });
});

describe("a quiet watch", () => {
  const path = "/api/v1/namespaces/default/pods?watch=true";

  for (const version of ["HTTP/1.1", "HTTP/2"] as const) {
    test(`${version}: is the server's turn, so timeout server cuts it and timeout client does not`, async (t) => {
      const gate = await gateWith(
        t,
        "timeout client 200ms\n timeout server 1200ms\n timeout http-request 5s",
      );
      const began = performance.now();
      if (version === "HTTP/2") {
        const session = await session2({ port: gate.port() });
        const watch = session.request({ ":path": path, authorization: `Bearer ${TOKEN}` });
        watch.on("error", () => {}).resume();
        await new Promise((resolve) => watch.on("close", resolve));
        session.destroy();
      } else {
        const socket = await secure({ port: gate.port() });
        socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
        await once(socket.resume(), "close");
      }
      assert.ok(performance.now() - began >= 1_100, "not before timeout server");
      const ended = await gate.told("its end", isRequest);
      assert.deepEqual([ended.status, ended.termination, ended.reason], [200, "sD--", "server_idle"]);
      await gate.empty();
      await until("the sandbox to know", () => sandbox.openStreams() === 0);
    });
  }

  test("goes on as long as events come", async (t) => {
    const gate = await gateWith(t, "timeout client 200ms\n timeout server 500ms");
    const session = await session2({ port: gate.port() });
    const watch = session.request({
      ":path": "/api/v1/namespaces/default/pods/web/log?follow=true",
      authorization: `Bearer ${TOKEN}`,
    });
    watch.setEncoding("utf8");
    let seen = "";
    watch.on("data", (text: string) => {
      seen += text;
    });
    await once(watch, "response");
    for (let line = 0; line < 15; line++) {
      sandbox.appendLog(`line ${line}`);
      await until("the line", () => seen.includes(`line ${line}`));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(watch.closed, false);
    session.destroy();
    await gate.empty();
  });
});
