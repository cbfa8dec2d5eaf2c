import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import type * as net from "node:net";
import { after, test } from "node:test";
import type { ReasonCode } from "../events/index.ts";
import type { Backend, CheckMethod, Server } from "../model/index.ts";
import { createPool, type Pool, type PoolOptions } from "./index.ts";
import {
  backend,
  CHECK,
  closedPort,
  Events,
  loopback,
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
const names = "DNS:kubernetes,DNS:health.example.com";
const pair = workshop.issue({ subject: "/CN=api", issuer: ca, names });
const expired = workshop.issue({ subject: "/CN=api", issuer: ca, names, fromDays: -20, untilDays: -10 });
const houseTrust = trust(ca);
const TLS_CHECK = { ...CHECK, tls: true };
const READYZ: CheckMethod = {
  kind: "http",
  method: "GET",
  path: "/readyz",
  version: "HTTP/1.1",
  headers: [],
  expect: [],
};

interface Running {
  readonly pool: Pool;
  readonly events: Events;
}

function start(
  servers: readonly Server[],
  more: Partial<Backend> = {},
  options: Partial<PoolOptions> = {},
): Running {
  const events = new Events();
  const pool = createPool({
    backend: backend(servers, more),
    trustOf: () => houseTrust,
    tell: events.tell,
    ...options,
  });
  pool.start();
  return { pool, events };
}

function httpApi(answer: () => number, heard?: (text: string) => void) {
  return loopback(
    createHttp((request, response) => {
      heard?.(
        `${request.method} ${request.url} HTTP/${request.httpVersion} ${JSON.stringify(request.headers)}`,
      );
      response.writeHead(answer()).end("ok");
    }),
  );
}

test("a server that refuses its first check is down, with address and advice", {
  timeout: 2000,
}, async () => {
  const port = await closedPort();
  const { pool, events } = start([server("a", port, { check: CHECK }), server("b", port, { backup: true })]);
  assert.equal(pool.servers[0]?.up, true, "up until the first check");
  const event = await events.at(0);
  pool.stop();
  assert.ok(event.kind === "server");
  assert.deepEqual([event.server, event.up, event.reason], ["a", false, "dial_refused"]);
  assert.match(
    event.detail,
    new RegExp(`127\\.0\\.0\\.1:${port} refuses the connection: is the API server running`),
  );
  assert.deepEqual([event.activeLeft, event.backupLeft], [0, 1]);
  assert.equal(pool.pick({ clientAddress: "x" })?.name, "b");
});

test("a flapping server is told down and up only at its fall and rise", { timeout: 2000 }, async () => {
  let status = 200;
  const asked: number[] = [];
  const upstream = await httpApi(() => {
    asked.push(status);
    return status;
  });
  const { pool, events } = start([server("a", upstream.port, { check: CHECK })], { check: READYZ });
  const answers = async (next: number, count: number) => {
    status = next;
    const from = asked.length;
    await until(() => asked.length >= from + count);
  };
  await answers(200, 2);
  await answers(500, 2);
  await answers(200, 2);
  await until(() => pool.servers[0]?.up === true);
  assert.deepEqual(events.all, [], "two failures of three change nothing");
  status = 500;
  const down = await events.at(0);
  status = 200;
  const up = await events.at(1);
  pool.stop();
  await upstream.close();
  assert.ok(down.kind === "server" && up.kind === "server");
  assert.deepEqual([down.up, down.reason, up.up, up.reason], [false, "check_status", true, "check_passed"]);
  assert.match(
    down.detail,
    /GET \/readyz at 127\.0\.0\.1:\d+ is answered with 500, expected 200-399.*readyz\?verbose/,
  );
  assert.equal(asked.slice(asked.lastIndexOf(500) + 1).length >= CHECK.rise, true);
});

interface StatusRow {
  readonly rule: string;
  readonly status: number;
  readonly expect?: readonly (readonly [number, number])[];
  /** Undefined: it stays up and nothing is told. */
  readonly tells?: ReasonCode;
  readonly up: boolean;
}

const statusRows: readonly StatusRow[] = [
  { rule: "200 passes", status: 200, up: true },
  { rule: "a redirect passes (HAProxy §4.2 httpchk)", status: 302, up: true },
  { rule: "401 counts as alive, with a note", status: 401, tells: "check_forbidden", up: true },
  { rule: "403 counts as alive, with a note", status: 403, tells: "check_forbidden", up: true },
  { rule: "404 fails", status: 404, tells: "check_status", up: false },
  { rule: "500 fails", status: 500, tells: "check_status", up: false },
  {
    rule: "403 fails where 200 is expected",
    status: 403,
    expect: [[200, 200]],
    tells: "check_status",
    up: false,
  },
  { rule: "403 passes in silence where it is expected", status: 403, expect: [[200, 403]], up: true },
];

for (const row of statusRows) {
  test(`an HTTP check: ${row.rule}`, { timeout: 2000 }, async () => {
    let asked = 0;
    const upstream = await httpApi(() => {
      asked += 1;
      return row.status;
    });
    const check = { ...READYZ, expect: row.expect ?? [] };
    const { pool, events } = start([server("a", upstream.port, { check: CHECK })], { check });
    await until(() => asked >= 2);
    pool.stop();
    await upstream.close();
    assert.deepEqual(
      events.all.map((event) => event.reason),
      row.tells === undefined ? [] : [row.tells],
    );
    assert.equal(pool.servers[0]?.up, row.up);
  });
}

test("an HTTP check says what the configuration says, to a host by name", { timeout: 2000 }, async () => {
  const heard: string[] = [];
  const upstream = await httpApi(
    () => 200,
    (text) => heard.push(text),
  );
  const check: CheckMethod = { ...READYZ, path: "/livez?verbose", headers: [["X-Probe", "gate"]] };
  const { pool } = start([server("a", upstream.port, { check: CHECK })], { check });
  await until(() => heard.length > 0);
  pool.stop();
  await upstream.close();
  assert.match(heard[0] ?? "", /^GET \/livez\?verbose HTTP\/1\.1 /);
  assert.match(heard[0] ?? "", new RegExp(`"host":"127\\.0\\.0\\.1:${upstream.port}"`));
  assert.match(heard[0] ?? "", /"connection":"close","x-probe":"gate"/);
});

const faults: readonly {
  rule: string;
  talk: (socket: net.Socket) => void;
  reason: ReasonCode;
  says: RegExp;
}[] = [
  { rule: "silence", talk: () => {}, reason: "check_timeout", says: /not answered within \d+ ms: .* hangs/ },
  {
    rule: "a close without an answer",
    talk: (s) => s.end(),
    reason: "server_closed",
    says: /without an answer/,
  },
  {
    rule: "an answer that is not HTTP",
    talk: (s) => s.write(Buffer.from("\x15\x03\x03\x00\x02\x02\x46\n", "latin1")),
    reason: "server_bad_response",
    says: /not HTTP\/1; if the port speaks TLS, add "ssl"/,
  },
  {
    rule: "bytes without end and line",
    talk: (s) => s.write("x".repeat(5000)),
    reason: "server_bad_response",
    says: /not HTTP\/1/,
  },
  {
    rule: "an API server's answer to plain text on its TLS port",
    talk: (s) => s.end("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
    reason: "check_status",
    says: /answered with 400.*TLS only; add "ssl"/,
  },
];

for (const { rule, talk, reason, says } of faults) {
  test(`an HTTP check tells ${rule}`, { timeout: 2000 }, async () => {
    const upstream = await tcpServer(talk);
    const { pool, events } = start([server("a", upstream.port, { check: CHECK })], { check: READYZ });
    const event = await events.at(0);
    pool.stop();
    assert.equal(event.reason, reason);
    assert.match(event.detail, says);
    await until(() => upstream.open === 0);
    await upstream.close();
  });
}

test("`timeout check` limits the wait for the answer, not the interval", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  const slow = { ...CHECK, interMs: 60_000 };
  const more = { check: READYZ, timeouts: { checkMs: 40 } };
  const { pool, events } = start([server("a", upstream.port, { check: slow })], more);
  const event = await events.at(0);
  pool.stop();
  await upstream.close();
  assert.equal(event.reason, "check_timeout");
  assert.match(event.detail, /within 40 ms/);
});

test("a TLS check verifies: a server whose certificate has expired is down", { timeout: 2000 }, async () => {
  const upstream = await tlsServer({ key: expired.key, cert: expired.cert });
  const { pool, events } = start([server("a", upstream.port, { tls: SERVER_TLS, check: TLS_CHECK })]);
  const event = await events.at(0);
  pool.stop();
  await upstream.close();
  assert.ok(event.kind === "server");
  assert.deepEqual([event.up, event.reason], [false, "server_expired"]);
});

test("each TLS check is a full handshake: a certificate renewed badly downs a server", {
  timeout: 2000,
}, async () => {
  const upstream = await tlsServer({ key: pair.key, cert: pair.cert });
  const tls = { ...SERVER_TLS, verifyHost: "kubernetes" };
  const { pool, events } = start([server("a", upstream.port, { tls, check: TLS_CHECK })]);
  await until(() => upstream.accepted >= 2);
  upstream.renew({ key: expired.key, cert: expired.cert });
  const event = await events.at(0);
  pool.stop();
  await upstream.close();
  assert.equal(event.reason, "server_expired");
});

test("a down server that fails for another reason says so once", { timeout: 2000 }, async () => {
  const port = await closedPort();
  const { pool, events } = start([server("a", port, { tls: SERVER_TLS, check: TLS_CHECK })]);
  assert.equal((await events.at(0)).reason, "dial_refused");
  const upstream = await tlsServer({ key: expired.key, cert: expired.cert }, undefined, port);
  const note = await events.at(1);
  await until(() => upstream.accepted >= 4);
  pool.stop();
  await upstream.close();
  assert.deepEqual([note.kind, note.reason], ["server-note", "server_expired"]);
  assert.equal(events.all.length, 2);
});

test("an HTTP check goes through TLS, with check-sni, at the check's own port", {
  timeout: 2000,
}, async () => {
  const sent: string[] = [];
  const upstream = await tlsServer(
    {
      key: pair.key,
      cert: pair.cert,
      ALPNProtocols: ["h2", "http/1.1"],
      SNICallback: (name, done) => {
        sent.push(name);
        done(null);
      },
    },
    (socket) => {
      sent.push(String(socket.alpnProtocol));
      socket.end("HTTP/1.1 200 OK\r\n\r\n");
    },
  );
  const check = { ...TLS_CHECK, port: upstream.port, sni: "health.example.com" };
  const tls = { ...SERVER_TLS, sni: { kind: "fixed", name: "kubernetes" } } as const;
  const { pool, events } = start([server("a", await closedPort(), { tls, check })], { check: READYZ });
  await until(() => sent.length >= 4);
  pool.stop();
  await upstream.close();
  assert.deepEqual(sent.slice(0, 4), ["health.example.com", "http/1.1", "health.example.com", "http/1.1"]);
  assert.deepEqual(events.all, []);
});

test("check-ssl on a server that lanes reach without it only asks for TLS", { timeout: 2000 }, async () => {
  const port = await closedPort();
  const options = { trustOf: () => undefined };
  const { pool, events } = start(
    [server("a", port, { check: { ...TLS_CHECK, sni: "10.0.0.1" } })],
    {},
    options,
  );
  await events.at(0);
  const upstream = await tlsServer({ key: expired.key, cert: expired.cert }, undefined, port);
  const up = await events.at(1);
  pool.stop();
  await upstream.close();
  assert.ok(up.kind === "server" && up.up);
  assert.match(up.detail, /completes the TLS handshake/);
});

test("a name that does not resolve holds a server down until it does", { timeout: 4000 }, async () => {
  const upstream = await tcpServer();
  let known = false;
  let clock = 0;
  const lookup = async () => {
    if (!known) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
    return ["127.0.0.1"];
  };
  // The clock runs a hundred times as fast, so that 2 s between lookups are 20 ms.
  const now = () => {
    clock = performance.now() * 100;
    return clock;
  };
  const described = server("a", upstream.port, { host: "api.internal", check: CHECK });
  const { pool, events } = start([described], {}, { lookup, now });
  const down = await events.at(0);
  known = true;
  const up = await events.at(1);
  pool.stop();
  await upstream.close();
  assert.ok(down.kind === "server" && up.kind === "server");
  assert.deepEqual([down.up, down.reason, up.up], [false, "name_unresolved", true]);
  assert.match(down.detail, /"api\.internal" does not resolve \(ENOTFOUND\): correct it, or mend the DNS/);
});

test("first checks are spread over the interval", { timeout: 2000 }, async () => {
  const at: number[] = [];
  const upstream = await tcpServer(() => at.push(performance.now()));
  const slow = { ...CHECK, interMs: 400 };
  const { pool } = start(["a", "b", "c", "d"].map((name) => server(name, upstream.port, { check: slow })));
  const startedAt = performance.now();
  await until(() => at.length >= 4);
  pool.stop();
  await upstream.close();
  const early = at.slice(0, 4).filter((time, index) => time - startedAt < index * 100 - 10);
  assert.deepEqual(early, []);
});

test("stop ends checks and probes under way, and nothing is told afterwards", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  const slow = { ...TLS_CHECK, interMs: 60_000 };
  const { pool, events } = start([
    server("a", upstream.port, {
      tls: SERVER_TLS,
      check: { ...slow, interMs: 1, fastInterMs: 1, downInterMs: 1 },
    }),
    server("b", upstream.port, { tls: SERVER_TLS }),
    server("c", upstream.port, { check: slow }),
  ]);
  await until(() => upstream.open >= 1);
  pool.stop();
  const told = events.all.length;
  await until(() => upstream.open === 0);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(events.all.length, told);
  assert.equal(upstream.open, 0);
  await upstream.close();
});

test("a disabled server is neither checked nor picked", { timeout: 2000 }, async () => {
  const upstream = await tcpServer();
  const { pool } = start([server("a", upstream.port, { disabled: true, check: CHECK })]);
  await new Promise((resolve) => setTimeout(resolve, 60));
  pool.stop();
  assert.equal(upstream.accepted, 0);
  assert.equal(pool.pick({ clientAddress: "x" }), undefined);
  await upstream.close();
});
