import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Server } from "../model/index.ts";
import { createPool, dial, type Pool, type PoolOptions } from "./index.ts";
import {
  backend,
  CHECK,
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
const pair = workshop.issue({ subject: "/CN=api", issuer: ca, names: "DNS:kubernetes" });
const houseTrust = trust(ca);
const NEVER = new AbortController().signal;

function start(one: Server, options: Partial<PoolOptions> = {}) {
  const events = new Events();
  const pool = createPool({
    backend: backend([one]),
    trustOf: () => houseTrust,
    tell: events.tell,
    ...options,
  });
  pool.start();
  return { pool, events, first: only(pool) };
}

function only(pool: Pool) {
  const [first] = pool.servers;
  assert.ok(first);
  return first;
}

function api(protocols: string[] | undefined, port?: number): Promise<Loopback> {
  const alpn = protocols === undefined ? {} : { ALPNProtocols: protocols };
  return tlsServer({ key: pair.key, cert: pair.cert, ...alpn }, undefined, port);
}

const rows = [
  {
    rule: "an API server speaks both and prefers h2",
    speaks: ["h2", "http/1.1"],
    learnt: ["h2", "http/1.1"],
  },
  { rule: "one that refuses HTTP/1.1 alone speaks h2 only", speaks: ["h2"], learnt: ["h2"] },
  { rule: "one without h2 speaks HTTP/1.1", speaks: ["http/1.1"], learnt: ["http/1.1"] },
  { rule: "one that does not answer ALPN speaks HTTP/1.1", speaks: undefined, learnt: ["http/1.1"] },
];

for (const { rule, speaks, learnt } of rows) {
  for (const check of [undefined, { ...CHECK, tls: true }]) {
    const how = check === undefined ? "a probe at the start" : "the first check that passes";
    test(`${rule}, learnt by ${how}`, { timeout: 2000 }, async () => {
      const upstream = await api(speaks);
      const described = server("a", upstream.port, {
        tls: SERVER_TLS,
        ...(check !== undefined && { check }),
      });
      const { pool, events, first } = start(described);
      assert.equal(first.alpn, undefined);
      assert.equal(first.prefers, undefined);
      await until(() => first.alpn?.join() === learnt.join());
      pool.stop();
      await upstream.close();
      assert.equal(first.prefers, learnt[0]);
      assert.deepEqual(events.all, []);
    });
  }
}

test("plain servers, and those that may not be offered h2, speak HTTP/1.1 from the start", () => {
  for (const tls of [undefined, { ...SERVER_TLS, alpn: ["http/1.1"] }, { ...SERVER_TLS, alpn: [] }]) {
    const described = backend([server("a", 1, tls === undefined ? {} : { tls })]);
    const pool = createPool({ backend: described, trustOf: () => houseTrust, tell: new Events().tell });
    assert.deepEqual(only(pool).alpn, ["http/1.1"]);
  }
});

test("a checked server that comes up again is asked anew", { timeout: 2000 }, async () => {
  let upstream = await api(["http/1.1"]);
  const { port } = upstream;
  const described = server("a", port, { tls: SERVER_TLS, check: { ...CHECK, tls: true } });
  const { pool, events, first } = start(described);
  await until(() => first.prefers === "http/1.1");
  await upstream.close();
  await events.at(0);
  upstream = await api(["h2", "http/1.1"], port);
  await until(() => first.prefers === "h2");
  pool.stop();
  await upstream.close();
});

test("a dial that shows other protocols than known has them learnt anew", { timeout: 2000 }, async () => {
  let upstream = await api(["http/1.1"]);
  const { port } = upstream;
  const { pool, first } = start(server("a", port, { tls: SERVER_TLS }));
  await until(() => first.prefers === "http/1.1");
  await upstream.close();
  upstream = await api(["h2", "http/1.1"], port);
  const alpn = ["h2", "http/1.1"];
  const outcome = await dial({ server: first, alpn, clientServerName: undefined, gone: NEVER });
  assert.ok(outcome.kind === "dialled" && outcome.alpn === "h2");
  outcome.connection.destroy();
  await until(() => first.prefers === "h2");
  pool.stop();
  await upstream.close();
});

test("an unchecked server stays up when it cannot be reached; each reason is told once", {
  timeout: 2000,
}, async () => {
  const port = await closedPort();
  const { pool, events, first } = start(server("a", port, { tls: SERVER_TLS }));
  const note = await events.at(0);
  for (let i = 0; i < 3; i++)
    await dial({ server: first, alpn: [], clientServerName: undefined, gone: NEVER });
  const silent = await tcpServer((socket) => socket.destroy());
  assert.notEqual(silent.port, port);
  pool.stop();
  await silent.close();
  assert.deepEqual([note.kind, note.reason], ["server-note", "dial_refused"]);
  assert.equal(events.all.length, 1);
  assert.equal(first.up, true);
  assert.equal(pool.pick({ clientAddress: "x" }), first);
});

test("another reason is told again", { timeout: 2000 }, async () => {
  const upstream = await tcpServer((socket) => socket.destroy());
  const { port } = upstream;
  const { pool, events, first } = start(server("a", port, { tls: SERVER_TLS }));
  assert.equal((await events.at(0)).reason, "server_tls_failed");
  await upstream.close();
  await dial({ server: first, alpn: [], clientServerName: undefined, gone: NEVER });
  pool.stop();
  assert.deepEqual(
    events.all.map((event) => event.reason),
    ["server_tls_failed", "dial_refused"],
  );
});

test("the end of a told failure is told, and what the server speaks is learnt then", {
  timeout: 4000,
}, async () => {
  const port = await closedPort();
  const { pool, events, first } = start(server("a", port, { tls: SERVER_TLS }));
  await events.at(0);
  const upstream = await api(["h2", "http/1.1"], port);
  const recovery = await events.at(1);
  await until(() => first.alpn?.length === 2);
  pool.stop();
  await upstream.close();
  assert.deepEqual([recovery.kind, recovery.reason], ["server-note", "check_passed"]);
  assert.match(recovery.detail, new RegExp(`127\\.0\\.0\\.1:${port} can be reached again`));
});

test("an unchecked server whose name does not resolve is held down, and looked for again", {
  timeout: 4000,
}, async () => {
  const upstream = await tcpServer();
  let known = false;
  const lookup = async () => {
    if (!known) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
    return ["127.0.0.1"];
  };
  const { pool, events, first } = start(server("a", upstream.port, { host: "api.internal" }), { lookup });
  const down = await events.at(0);
  assert.ok(down.kind === "server");
  assert.deepEqual([down.up, down.reason, first.up], [false, "name_unresolved", false]);
  assert.equal(pool.pick({ clientAddress: "x" }), undefined);
  known = true;
  const up = await events.at(1);
  pool.stop();
  await upstream.close();
  assert.ok(up.kind === "server" && up.up);
  assert.match(up.detail, /"api\.internal" resolves now/);
});

test("a pool without trust for a TLS server is a mistake of its maker", () => {
  const described = backend([server("a", 1, { tls: SERVER_TLS })]);
  const make = () => createPool({ backend: described, trustOf: () => undefined, tell: new Events().tell });
  assert.throws(make, /no trust was made for server a/);
});
