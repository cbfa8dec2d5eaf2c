import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Server } from "../model/index.ts";
import {
  createPool,
  type Dial,
  type DialFailure,
  type Dialled,
  dial,
  dialWithRetries,
  type Pool,
  type PoolOptions,
} from "./index.ts";
import type { PoolServer } from "./server.ts";
import {
  backend,
  closedPort,
  Events,
  type Loopback,
  SERVER_TLS,
  server,
  tcpServer,
  tlsServer,
  trust,
  until,
  Workshop,
} from "./testing.ts";

const workshop = new Workshop();
after(() => workshop.close());
const ca = workshop.issue({ subject: "/CN=house ca", authority: true });
const otherCa = workshop.issue({ subject: "/CN=other ca", authority: true });
const pair = workshop.issue({ subject: "/CN=api", issuer: ca, names: "DNS:kubernetes,DNS:*.example.com" });
const houseTrust = trust(ca);
const NEVER = new AbortController().signal;

function poolOf(servers: readonly Server[], more: Partial<PoolOptions> = {}): Pool {
  return createPool({
    backend: backend(servers),
    trustOf: () => houseTrust,
    tell: new Events().tell,
    ...more,
  });
}

function only(pool: Pool): PoolServer {
  const [first] = pool.servers;
  assert.ok(first);
  return first;
}

function dialOne(pool: Pool, alpn: readonly string[] = [], clientServerName?: string, gone = NEVER) {
  return dial({ server: only(pool), alpn, clientServerName, gone });
}

function reached(outcome: Dialled | DialFailure): Dialled {
  assert.ok(outcome.kind === "dialled", JSON.stringify(outcome));
  return outcome;
}

function refused(outcome: Dialled | DialFailure): DialFailure {
  assert.ok(outcome.kind === "failed");
  return outcome;
}

/** Reads until the server has said something; its session tickets, sent before, are told a little after (Node 20). */
async function hear({ connection }: Dialled): Promise<void> {
  await new Promise<void>((resolve) => {
    connection.handler = { data: () => setTimeout(resolve, 10), drain() {}, end() {}, closed() {} };
    connection.resume();
  });
  connection.destroy();
}

function apiServer(more: Parameters<typeof tlsServer>[0] = {}): Promise<Loopback> {
  const options = { key: pair.key, cert: pair.cert, ALPNProtocols: ["h2", "http/1.1"], ...more };
  return tlsServer(options, (socket) => socket.write("hello"));
}

test("a dial tells protocol, time and that it is verified", { timeout: 2000 }, async () => {
  const upstream = await apiServer();
  const pool = poolOf([server("s1", upstream.port, { tls: { ...SERVER_TLS, verifyHost: "kubernetes" } })]);
  const outcome = reached(await dialOne(pool, ["h2", "http/1.1"]));
  assert.equal(outcome.alpn, "h2");
  assert.equal(outcome.resumed, false);
  assert.ok(outcome.connectMs >= 0 && outcome.connectMs < 1000);
  await hear(outcome);
  await upstream.close();
});

test("only protocols that the server's line allows are offered", { timeout: 2000 }, async () => {
  const upstream = await apiServer();
  const pool = poolOf([server("s1", upstream.port, { tls: { ...SERVER_TLS, alpn: ["http/1.1"] } })]);
  const outcome = reached(await dialOne(pool, ["h2", "http/1.1"]));
  assert.equal(outcome.alpn, "http/1.1");
  outcome.connection.destroy();
  await upstream.close();
});

test("a plain server is dialled without TLS", { timeout: 2000 }, async () => {
  const upstream = await tcpServer((socket) => socket.write("hello"));
  const pool = poolOf([server("s1", upstream.port)]);
  const outcome = reached(await dialOne(pool, ["http/1.1"]));
  assert.equal(outcome.alpn, undefined);
  await hear(outcome);
  await upstream.close();
});

test("the client's own name goes on as SNI and is verified where the line says so", {
  timeout: 2000,
}, async () => {
  const names: string[] = [];
  const upstream = await apiServer({
    SNICallback: (name, done) => {
      names.push(name);
      done(null);
    },
  });
  const pool = poolOf([server("s1", upstream.port, { tls: { ...SERVER_TLS, sni: { kind: "client" } } })]);
  reached(await dialOne(pool, [], "a.example.com")).connection.destroy();
  assert.equal(refused(await dialOne(pool, [], "a.elsewhere.com")).reason, "server_wrong_name");
  reached(await dialOne(pool)).connection.destroy();
  assert.deepEqual(names, ["a.example.com", "a.elsewhere.com"]);
  await upstream.close();
});

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`sessions are resumed, and stay bound to their protocols (${maxVersion})`, {
    timeout: 2000,
  }, async () => {
    const upstream = await apiServer({ maxVersion });
    const pool = poolOf([server("s1", upstream.port, { tls: { ...SERVER_TLS, verifyHost: "kubernetes" } })]);
    const resumed: boolean[] = [];
    for (const alpn of ["h2", "h2", "h2", "http/1.1", "http/1.1"]) {
      const outcome = reached(await dialOne(pool, [alpn]));
      resumed.push(outcome.resumed);
      assert.equal(outcome.alpn, alpn);
      await hear(outcome);
    }
    assert.deepEqual(resumed, [false, true, true, false, true]);
    await upstream.close();
  });

  test(`a session of a server that was refused is never kept (${maxVersion})`, {
    timeout: 2000,
  }, async () => {
    const upstream = await apiServer({ maxVersion });
    const tls = { ...SERVER_TLS, verifyHost: "elsewhere" };
    const pool = poolOf([server("s1", upstream.port, { tls })]);
    for (let i = 0; i < 3; i++) assert.equal(refused(await dialOne(pool)).reason, "server_wrong_name");
    assert.equal(only(pool).tickets.size, 0);
    await upstream.close();
  });

  test(`a session made under other trust is not resumed (${maxVersion})`, { timeout: 2000 }, async () => {
    const upstream = await apiServer({ maxVersion });
    let present = houseTrust;
    const pool = poolOf([server("s1", upstream.port, { tls: SERVER_TLS })], { trustOf: () => present });
    await hear(reached(await dialOne(pool)));
    assert.equal(only(pool).tickets.size, 1);
    present = trust(otherCa);
    assert.equal(refused(await dialOne(pool)).reason, "server_untrusted");
    present = houseTrust;
    assert.equal(reached(await dialOne(pool)).resumed, false);
    await upstream.close();
  });
}

test("a session does not outlive the certificate, nor its verdict an hour", { timeout: 2000 }, async () => {
  const upstream = await apiServer();
  let skewMs = 0;
  const wallClock = () => Date.now() + skewMs;
  const pool = poolOf([server("s1", upstream.port, { tls: SERVER_TLS })], { wallClock });
  await hear(reached(await dialOne(pool)));
  skewMs = 59 * 60 * 1000;
  const within = reached(await dialOne(pool));
  assert.equal(within.resumed, true);
  await hear(within);
  skewMs = 61 * 60 * 1000;
  const beyond = reached(await dialOne(pool));
  assert.equal(beyond.resumed, false, "an hour counts from the full handshake, not from the latest ticket");
  await hear(beyond);
  skewMs = 31 * 24 * 60 * 60 * 1000;
  assert.equal(refused(await dialOne(pool)).reason, "server_expired");
  await upstream.close();
});

test("sessions per client name are bounded", { timeout: 2000 }, async () => {
  const upstream = await apiServer();
  const pool = poolOf([server("s1", upstream.port, { tls: { ...SERVER_TLS, sni: { kind: "client" } } })]);
  for (let i = 0; i < 20; i++) await hear(reached(await dialOne(pool, [], `n${i}.example.com`)));
  assert.equal(only(pool).tickets.size, 16);
  await upstream.close();
});

test("a refused port is told as such, at once", { timeout: 2000 }, async () => {
  const port = await closedPort();
  const failure = refused(await dialOne(poolOf([server("s1", port, { tls: SERVER_TLS })])));
  assert.equal(failure.reason, "dial_refused");
  assert.equal(failure.retry, "other_server");
  assert.match(failure.detail, new RegExp(`^127\\.0\\.0\\.1:${port} refuses the connection`));
});

test("connect limits TCP and TLS together: a silent server is told as one", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  const described = backend([server("s1", upstream.port, { tls: SERVER_TLS })], {
    timeouts: { connectMs: 80 },
  });
  const pool = poolOf([], { backend: described });
  const failure = refused(await dialOne(pool));
  assert.equal(failure.reason, "dial_timeout");
  assert.match(failure.detail, /accepts connections but did not finish the TLS handshake within 80 ms/);
  await until(() => upstream.open === 0);
  await upstream.close();
});

test("a port that speaks something else than TLS is told as such", { timeout: 2000 }, async () => {
  const upstream = await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const failure = refused(await dialOne(poolOf([server("s1", upstream.port, { tls: SERVER_TLS })])));
  assert.equal(failure.reason, "server_tls_failed");
  assert.match(failure.detail, /is not TLS/);
  await upstream.close();
});

test("a server that closes during the handshake is told as such", { timeout: 2000 }, async () => {
  const upstream = await tcpServer((socket) => socket.destroy());
  const failure = refused(await dialOne(poolOf([server("s1", upstream.port, { tls: SERVER_TLS })])));
  assert.equal(failure.reason, "server_tls_failed");
  assert.match(failure.detail, /closed the connection during the TLS handshake/);
  await upstream.close();
});

test("TLS versions without overlap are told as such", { timeout: 2000 }, async () => {
  const { createSecureContext } = await import("node:tls");
  const upstream = await apiServer({ minVersion: "TLSv1.3" });
  const old = { ...houseTrust, context: createSecureContext({ ca: ca.cert, maxVersion: "TLSv1.2" }) };
  const pool = poolOf([server("s1", upstream.port, { tls: SERVER_TLS })], { trustOf: () => old });
  const failure = refused(await dialOne(pool));
  assert.equal(failure.reason, "server_tls_failed");
  assert.match(failure.detail, /no TLS version in common/);
  await upstream.close();
});

test("a client that leaves takes its dial with it, whatever it waits for", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  const gone = new AbortController();
  const silent = poolOf([server("s1", upstream.port, { tls: SERVER_TLS })]);
  const dialling = dialOne(silent, [], undefined, gone.signal);
  await until(() => upstream.open === 1);
  const nameless = poolOf([server("s1", 1, { host: "api.internal" })], {
    lookup: () => new Promise(() => {}),
  });
  const resolving = dialOne(nameless, [], undefined, gone.signal);
  gone.abort();
  const outcomes = [await dialling, await resolving, await dialOne(silent, [], undefined, gone.signal)];
  for (const outcome of outcomes) {
    assert.equal(refused(outcome).reason, "client_gone");
    assert.equal(refused(outcome).retry, "never");
  }
  await until(() => upstream.open === 0);
  await upstream.close();
});

test("an unresolvable name is told, and works once it resolves", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  let now = 0;
  let known = false;
  const lookup = async () => {
    if (!known) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
    return ["127.0.0.1"];
  };
  const pool = poolOf([server("s1", upstream.port, { host: "api.internal" })], { lookup, now: () => now });
  const failure = refused(await dialOne(pool));
  assert.equal(failure.reason, "name_unresolved");
  assert.match(failure.detail, /"api\.internal" does not resolve \(ENOTFOUND\)/);
  known = true;
  now = 2500;
  reached(await dialOne(pool)).connection.destroy();
  await upstream.close();
});

test("an address that refuses is followed by the next at once", { timeout: 2000 }, async () => {
  const upstream = await tcpServer(); // on 127.0.0.1 only
  const lookup = async () => ["127.0.0.2", "127.0.0.1"];
  const pool = poolOf([server("s1", upstream.port, { host: "api.internal" })], { lookup });
  const outcome = reached(await dialOne(pool));
  assert.equal(outcome.connection.remoteAddress, "127.0.0.1");
  assert.ok(outcome.connectMs < 240, `${outcome.connectMs} ms`);
  outcome.connection.destroy();
  await upstream.close();
});

test("a silent address is overtaken by the next after 250 ms (RFC 8305) and given up", {
  timeout: 2000,
}, async () => {
  const upstream = await apiServer();
  const silent = await listenOn("127.0.0.2", upstream.port);
  const lookup = async () => ["127.0.0.2", "127.0.0.1"];
  const pool = poolOf([server("s1", upstream.port, { host: "api.internal", tls: SERVER_TLS })], { lookup });
  const outcome = reached(await dialOne(pool));
  assert.equal(outcome.connection.remoteAddress, "127.0.0.1");
  assert.ok(outcome.connectMs >= 245, `${outcome.connectMs} ms`);
  await until(() => silent.open === 0);
  // The one that answered goes first from now on.
  const again = reached(await dialOne(pool));
  assert.equal(silent.accepted, 1);
  outcome.connection.destroy();
  again.connection.destroy();
  await Promise.all([upstream.close(), silent.close()]);
});

test("when all addresses fail, each is named", { timeout: 2000 }, async () => {
  const port = await closedPort();
  const lookup = async () => ["127.0.0.1", "127.0.0.2"];
  const failure = refused(await dialOne(poolOf([server("s1", port, { host: "api.internal" })], { lookup })));
  assert.equal(failure.reason, "dial_refused");
  assert.equal(failure.code, "ECONNREFUSED", "what decides whether to repeat is kept");
  assert.match(failure.detail, /127\.0\.0\.1:.*; also: 127\.0\.0\.2:/);
});

async function listenOn(host: string, port: number) {
  const { createServer } = await import("node:net");
  let open = 0;
  let accepted = 0;
  const listener = createServer((socket) => {
    open += 1;
    accepted += 1;
    socket.on("error", () => {});
    socket.on("close", () => {
      open -= 1;
    });
    socket.resume();
  });
  await new Promise<void>((resolve) => listener.listen(port, host, resolve));
  return {
    get open() {
      return open;
    },
    get accepted() {
      return accepted;
    },
    close: () => new Promise<void>((resolve) => listener.close(() => resolve())),
  };
}

// Retries.

const fail = (reason: DialFailure["reason"], retry: DialFailure["retry"] = "other_server"): DialFailure => ({
  kind: "failed",
  reason,
  detail: reason,
  retry,
});

/** Dials that answer what the test says, and remember whom they asked. */
function scripted(answers: Record<string, DialFailure | "connects">) {
  const asked: string[] = [];
  const dialOnce: Dial = async ({ server: one }) => {
    asked.push(one.name);
    const answer = answers[one.name];
    if (answer !== "connects") return answer ?? fail("dial_failed");
    const upstream = await tcpServer();
    const open = await dial({
      server: only(poolOf([server("x", upstream.port)])),
      alpn: [],
      clientServerName: undefined,
      gone: NEVER,
    });
    if (open.kind === "dialled") open.connection.destroy();
    await upstream.close();
    return open;
  };
  return { asked, dialOnce };
}

function retry(pool: Pool, dialOnce: Dial, gone = NEVER) {
  const want = { first: only(pool), alpn: [], clientServerName: undefined, clientAddress: "192.0.2.1", gone };
  return dialWithRetries(pool, want, dialOnce);
}

test("a failed dial goes to another server at once", { timeout: 900 }, async () => {
  const pool = poolOf([server("a", 1), server("b", 2)]);
  const { asked, dialOnce } = scripted({ a: fail("dial_refused"), b: "connects" });
  const outcome = await retry(pool, dialOnce);
  assert.equal(outcome.kind, "dialled");
  assert.equal(outcome.server.name, "b");
  assert.equal(outcome.retries, 1);
  assert.deepEqual(asked, ["a", "b"]);
  assert.deepEqual(
    pool.servers.map((one) => one.load),
    [0, 0],
    "what was counted while dialling is given back",
  );
});

test("the same server is tried `retries` times more, after HAProxy's wait", { timeout: 2000 }, async () => {
  const described = backend([server("a", 1)], { retries: 2, timeouts: { connectMs: 30 } });
  const pool = poolOf([], { backend: described });
  const { asked, dialOnce } = scripted({ a: fail("dial_refused") });
  const startedAt = performance.now();
  const outcome = await retry(pool, dialOnce);
  assert.equal(outcome.retries, 2);
  assert.deepEqual(asked, ["a", "a", "a"]);
  assert.ok(performance.now() - startedAt >= 55);
});

test("a failure that repeats for certain is not repeated at the same server", { timeout: 900 }, async () => {
  const pool = poolOf([server("a", 1)]);
  const { asked, dialOnce } = scripted({ a: fail("server_untrusted") });
  assert.equal((await retry(pool, dialOnce)).retries, 0);
  assert.deepEqual(asked, ["a"]);
});

test("nor is one that the server settled by an alert", { timeout: 900 }, async () => {
  const alert = { ...fail("server_tls_failed"), code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL" };
  const { asked, dialOnce } = scripted({ a: alert });
  assert.equal((await retry(poolOf([server("a", 1)]), dialOnce)).retries, 0);
  assert.deepEqual(asked, ["a"]);
});

test("`retries` bounds the servers tried", { timeout: 900 }, async () => {
  const pool = poolOf(["a", "b", "c", "d", "e", "f"].map((name) => server(name, 1)));
  const { asked, dialOnce } = scripted({});
  const outcome = await retry(pool, dialOnce);
  assert.equal(outcome.retries, 3);
  assert.equal(new Set(asked).size, 4);
});

test("nothing is retried once the client is gone, nor where no server would do better", {
  timeout: 900,
}, async () => {
  const pool = poolOf([server("a", 1), server("b", 2)]);
  const never = scripted({ a: fail("dial_failed", "never") });
  assert.equal((await retry(pool, never.dialOnce)).retries, 0);
  const gone = new AbortController();
  const alone = poolOf([server("a", 1)]);
  const waiting = retry(alone, scripted({ a: fail("dial_refused") }).dialOnce, gone.signal);
  setTimeout(() => gone.abort(), 20);
  assert.equal((await waiting).retries, 0);
});
