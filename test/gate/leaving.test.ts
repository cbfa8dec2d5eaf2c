import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import * as net from "node:net";
import { after, before, describe, test } from "node:test";
import * as tls from "node:tls";
import { ask1, begin, plain, reset, restOf, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isHandshake, isLane, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { runToEnd } from "../support/process.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

// Who leaves when: each phase of a lane's opening, by FIN and by reset. A lane that nobody ends would stay for a day.

let folder: Folder;
let certificates: Awaited<ReturnType<typeof writeCertificates>>;
let silent: Silent;

before(async () => {
  folder = await temporaryFolder();
  certificates = await writeCertificates(folder, "gate", ["gate.example.com"]);
  silent = await startSilent();
});

after(async () => {
  silent?.close();
  await folder?.remove();
});

/** Takes connections and says nothing: a TLS dial to it goes on until it is given up. */
interface Silent {
  readonly port: number;
  readonly open: ReadonlySet<net.Socket>;
  close(): void;
}

async function startSilent(): Promise<Silent> {
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    open,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

const PATIENT = DEFAULTS.replace("timeout connect 5s", "timeout connect 300s");

function patientGate(mode: "http" | "tcp", bindTls: string, port = silent.port): Promise<GateUnderTest> {
  return startGate(`${PATIENT.replace("mode http", `mode ${mode}`)}
frontend gate
    bind 127.0.0.1:6443 ${bindTls}
    default_backend api
backend api
    server s 127.0.0.1:${port} ssl verify none
`);
}

describe("a client that leaves while its server is dialled ends the dial", () => {
  const tlsBind = () => `ssl crt ${certificates.bundle} alpn h2,http/1.1`;
  const cases = [
    { name: "mode tcp, by a reset", mode: "tcp", bind: () => "", how: "reset", ended: "CC" },
    { name: "mode tcp behind TLS, by a reset", mode: "tcp", bind: tlsBind, how: "reset", ended: "CC" },
    { name: "mode http behind TLS, by a reset", mode: "http", bind: tlsBind, how: "reset", ended: undefined },
    { name: "mode http behind TLS, by FIN", mode: "http", bind: tlsBind, how: "fin", ended: undefined },
    { name: "mode http in plain text, by FIN", mode: "http", bind: () => "", how: "fin", ended: undefined },
    {
      name: "mode http in plain text, by a reset",
      mode: "http",
      bind: () => "",
      how: "reset",
      ended: undefined,
    },
  ] as const;
  for (const { name, mode, bind, how, ended } of cases) {
    test(name, async (t) => {
      const gate = await patientGate(mode, bind());
      t.after(() => gate.close());
      // No ALPN: HTTP/1.1, so that the gate need not ask the server first.
      const client = bind() === "" ? await plain(gate.port()) : await secure({ port: gate.port() });
      await until("the dial", () => gate.pools.get("api")?.servers[0]?.load === 1);
      if (how === "reset") reset(client);
      else client.end();
      await gate.empty();
      if (ended !== undefined) assert.equal((await gate.told("its end", isLane)).termination, ended);
      client.destroy();
    });
  }

  for (const how of ["fin", "reset"] as const) {
    test(`before TLS, while the gate asks an unknown server what it speaks, by ${how}`, async (t) => {
      const gate = await patientGate("http", tlsBind());
      t.after(() => gate.close());
      const client = begin({ port: gate.port(), alpn: ["h2"] });
      await until("the dial", () => gate.pools.get("api")?.servers[0]?.load === 1);
      if (how === "reset") reset(client);
      else client.destroy();
      await gate.empty();
      assert.equal((await gate.told("the refusal", isHandshake)).reason, "handshake_closed");
    });
  }

  test("mode tcp keeps the half that is open: a client that sent FIN is still served when the dial succeeds", async (t) => {
    const upstream = net.createServer({ allowHalfOpen: true }, (socket) => socket.end("late but whole"));
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    t.after(() => upstream.close());
    const slow = await startRelay((upstream.address() as net.AddressInfo).port);
    t.after(() => slow.close());
    const gate = await startGate(`${PATIENT.replace("mode http", "mode tcp")}
frontend gate
    bind 127.0.0.1:6443
    tcp-request inspect-delay 5s
    use_backend api if { req.ssl_sni -i gate.example.com }
backend api
    server s 127.0.0.1:${slow.port}
`);
    t.after(() => gate.close());
    const client = await plain(gate.port(), { allowHalfOpen: true });
    client.end(await helloTo("gate.example.com"));
    assert.equal((await restOf(client)).toString(), "late but whole");
    await gate.empty();
  });
});

/** The bytes of a ClientHello. */
async function helloTo(servername: string): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = tls.connect({
    port: (server.address() as net.AddressInfo).port,
    host: "127.0.0.1",
    servername,
  });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

interface TestRelay {
  readonly port: number;
  /** Lets the client's bytes behind the first ones go on. */
  release(): void;
  close(): void;
}

/** A TCP relay that holds back what the client sends after its first bytes, until `release`. */
async function startRelay(to: number, holds = false): Promise<TestRelay> {
  const sockets = new Set<net.Socket>();
  let released = !holds;
  const release: (() => void)[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const target = net.connect({ port: to, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    target.pipe(client);
    client.once("data", (first: Buffer) => {
      target.write(first);
      client.pause();
      const goOn = () => client.pipe(target);
      if (released) goOn();
      else release.push(goOn);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    release() {
      released = true;
      for (const goOn of release) goOn();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe("a server that leaves before its lane stands is replaced", () => {
  for (const how of ["reset", "fin"] as const) {
    for (const alpn of ["h2", "http/1.1"] as const) {
      test(`${alpn}, by ${how}, while a slow client still shakes hands`, async (t) => {
        const { certificatePem: cert, keyPem: key } = certificates;
        const upstream = await startUpstream({ tls: { cert, key } });
        t.after(() => upstream.close());
        const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle} alpn h2,http/1.1
    use_backend api if { ssl_fc_sni -i gate.example.com }
backend api
    server s 127.0.0.1:${upstream.port} ssl verify none
`);
        t.after(() => gate.close());
        await until("the probe", () => gate.pools.get("api")?.servers[0]?.alpn !== undefined);
        const slow = await startRelay(gate.port(), true);
        t.after(() => slow.close());
        const want = { port: slow.port, servername: "gate.example.com" };
        const asking =
          alpn === "h2" ? ask2Once(want) : secure({ ...want, alpn: [alpn] }).then((s) => ask1(s, "/"));
        await until("the dial", () => gate.pools.get("api")?.servers[0]?.lanes === 1);
        await until("the server to know of it", () => upstream.open > 0);
        upstream.cut(how);
        await until("the cut", () => upstream.open === 0);
        slow.release();
        // What comes behind the SETTINGS of an h2 server is heard only by the lane, which refuses what it did not send on.
        const refused = (error: Error) => (/REFUSED_STREAM/.test(error.message) ? "repeat" : error.message);
        const seen = await asking.then(({ status }) => status, refused);
        assert.ok(seen === 200 || (alpn === "h2" && seen === "repeat"), `${seen}`);
        await gate.empty();
      });
    }
  }
});

async function ask2Once(want: { port: number; servername: string }) {
  const session = await session2(want);
  const request = session.request({ ":path": "/" });
  const [headers] = await once(request, "response");
  session.destroy();
  return { status: Number(headers[":status"]) };
}

describe("what the gate says before TLS is read to its end", () => {
  test("plain HTTP to a TLS port: curl shows the sentence, even behind a large upload", async (t) => {
    const gate = await patientGate("http", `ssl crt ${certificates.bundle}`);
    t.after(() => gate.close());
    const body = await folder.write("body", "x".repeat(3_000_000));
    for (const data of ["x", `@${body}`]) {
      const url = `http://127.0.0.1:${gate.port()}/`;
      const { code, stdout, stderr } = await runToEnd("curl", [
        "-sS",
        "-H",
        "Expect:",
        "--data-binary",
        data,
        url,
      ]);
      assert.equal(stdout, "Client sent an HTTP request to an HTTPS server.\n", stderr);
      assert.ok(code === 0 || code === 55, `${code} ${stderr}`); // 55: it could not send all
    }
    assert.equal((await gate.told("the refusal", isHandshake)).reason, "plain_http");
    await gate.empty();
  });

  const cases = [
    { name: "a client that says nothing and closes", bytes: "", reason: "handshake_closed", silent: true },
    {
      name: "half a ClientHello, then FIN",
      bytes: "\x16\x03\x01\x02\x00",
      reason: "handshake_closed",
      silent: false,
    },
    { name: "garbage", bytes: "SSH-2.0-OpenSSH_9.2\r\n", reason: "not_tls", silent: false },
  ] as const;
  for (const { name, bytes, reason, silent: quiet } of cases) {
    test(name, async (t) => {
      const gate = await patientGate("http", `ssl crt ${certificates.bundle}`);
      t.after(() => gate.close());
      const client = await plain(gate.port());
      client.end(Buffer.from(bytes, "latin1"));
      await restOf(client);
      const told = await gate.told("the refusal", isHandshake);
      assert.deepEqual([told.reason, told.silent], [reason, quiet]);
      await gate.empty();
    });
  }

  test("a client that never says a whole ClientHello is cut after the handshake's time", async (t) => {
    const gate = await startGate(`${DEFAULTS}
    timeout client-hs 300ms
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle}
    default_backend api
backend api
    server s 127.0.0.1:${silent.port}
`);
    t.after(() => gate.close());
    const quiet = await plain(gate.port());
    const half = await plain(gate.port());
    half.write(Buffer.from("1603010200", "hex"));
    await Promise.all([restOf(quiet), restOf(half)]);
    await gate.empty();
    const told = gate.events.filter(isHandshake).map(({ reason, silent: isSilent }) => [reason, isSilent]);
    assert.deepEqual(told.sort(), [
      ["handshake_timeout", false],
      ["handshake_timeout", true],
    ]);
  });
});

test("closing the gate ends lanes in every phase of their opening, and leaves no timer", async () => {
  const gate = await patientGate("http", `ssl crt ${certificates.bundle}`);
  await plain(gate.port());
  const half = await plain(gate.port());
  half.write(Buffer.from("1603010200", "hex"));
  await secure({ port: gate.port() });
  begin({ port: gate.port(), alpn: ["h2"] });
  await until("four lanes", () => gate.gate.openLanes === 4);
  await until("two dials", () => gate.pools.get("api")?.servers[0]?.load === 2);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  await gate.close();
  assert.equal(gate.gate.openLanes, 0);
  await gate.empty();
  await until(
    "the timers to go",
    () => timers() <= 1,
    5_000,
    () => process.getActiveResourcesInfo(),
  );
  assert.deepEqual(gate.events.filter(isHandshake), [], "nobody failed");
});

test("both legs have TCP keep-alive, so that a peer that vanished is found", async (t) => {
  const { certificatePem: cert, keyPem: key } = certificates;
  const upstream = await startUpstream({ tls: { cert, key } });
  t.after(() => upstream.close());
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle}
    default_backend api
backend api
    server s 127.0.0.1:${upstream.port} ssl verify none
`);
  t.after(() => gate.close());
  const client = await secure({ port: gate.port() });
  await until("the lane", () => gate.pools.get("api")?.lanes === 1);
  // 02: the keep-alive timer runs; another one runs before it while something is still to be acknowledged.
  await until("the client's leg", async () => /^(02)+$/.test(await tcpTimers("local", gate.port())));
  await until("the server's leg", async () => /^(02)+$/.test(await tcpTimers("remote", upstream.port)));
  client.destroy();
});

/** The timers that run for established connections of a port, as /proc/net/tcp spells them. */
async function tcpTimers(side: "local" | "remote", port: number): Promise<string> {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n").slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[3] === "01" && row[side === "local" ? 1 : 2]?.endsWith(address))
    .map((row) => row[5]?.slice(0, 2))
    .join("");
}
