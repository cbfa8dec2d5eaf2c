import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backend, Server } from "../model/index.ts";
import { createPool, type Pool } from "./index.ts";
import { backend, Events, server } from "./testing.ts";

function pool(balance: Backend["balance"], servers: readonly Server[], random = Math.random): Pool {
  return createPool({
    backend: backend(servers, { balance }),
    trustOf: () => undefined,
    tell: new Events().tell,
    random,
  });
}

/** Names of the servers picked, each bound to a lane that stays. */
function picks(from: Pool, count: number, client: (index: number) => string = () => "192.0.2.1"): string {
  let names = "";
  for (let i = 0; i < count; i++) {
    const picked = from.pick({ clientAddress: client(i) });
    picked?.acquire();
    names += picked?.name ?? "-";
  }
  return names;
}

const times = (names: string, name: string) => names.split(name).length - 1;
const down = (from: Pool, name: string) =>
  from.servers.find((one) => one.name === name)?.change(false, "dial_refused", "refused", 0);

test("roundrobin takes turns", () => {
  const names = picks(pool("roundrobin", [server("a", 1), server("b", 2), server("c", 3)]), 6);
  assert.equal(names, "abcabc");
});

test("roundrobin spreads weights evenly over its turns", () => {
  const names = picks(pool("roundrobin", [server("a", 1, { weight: 2 }), server("b", 2)]), 6);
  assert.equal(names, "abaaba");
});

test("leastconn goes where the fewest lanes are", () => {
  const from = pool("leastconn", [server("a", 1), server("b", 2), server("c", 3)]);
  const [a, b] = from.servers;
  a?.acquire();
  a?.acquire();
  b?.acquire();
  const names = picks(from, 3);
  assert.equal(names[0], "c");
  assert.deepEqual(
    from.servers.map((one) => one.lanes),
    [2, 2, 2],
  );
});

test("leastconn weighs lanes", () => {
  const names = picks(pool("leastconn", [server("a", 1, { weight: 3 }), server("b", 2)]), 40);
  assert.equal(times(names, "a"), 30);
});

test("leastconn counts open streams and dials under way beside lanes", () => {
  const from = pool("leastconn", [server("a", 1), server("b", 2)]);
  const [a, b] = from.servers;
  a?.countStreams(1);
  a?.countStreams(1);
  b?.countDials(1);
  assert.equal(from.pick({ clientAddress: "x" })?.name, "b");
  a?.countStreams(-1);
  a?.countStreams(-1);
  assert.equal(from.pick({ clientAddress: "x" })?.name, "a");
});

test("leastconn lets idle servers take turns", () => {
  const from = pool("leastconn", [server("a", 1), server("b", 2)]);
  const names = [1, 2, 3, 4].map(() => from.pick({ clientAddress: "x" })?.name).sort();
  assert.deepEqual(names, ["a", "a", "b", "b"]);
});

test("first fills a server before the next", () => {
  const from = pool("first", [server("a", 1, { connectionsMax: 2 }), server("b", 2)]);
  assert.equal(picks(from, 4), "aabb");
});

test("source keeps a client at its server while that is up, and spreads clients", () => {
  const from = pool("source", [server("a", 1), server("b", 2), server("c", 3)]);
  const client = (index: number) => `10.0.${index >> 8}.${index & 255}`;
  const once = picks(from, 300, client);
  assert.equal(picks(from, 300, client), once);
  for (const name of "abc") assert.ok(times(once, name) > 60, `${name} ${times(once, name)}`);
  down(from, "a");
  assert.equal(times(picks(from, 100, client), "a"), 0);
});

test("random takes the less loaded of two drawn servers", () => {
  const draws = [0.1, 0.9, 0.1, 0.9];
  const from = pool("random", [server("a", 1), server("b", 2)], () => draws.shift() ?? 0);
  from.servers[0]?.acquire();
  assert.equal(from.pick({ clientAddress: "x" })?.name, "b");
});

test("a down, disabled or weightless server gets no lane", () => {
  const off = server("b", 2, { disabled: true });
  const from = pool("roundrobin", [server("a", 1), off, server("c", 3, { weight: 0 }), server("d", 4)]);
  down(from, "a");
  assert.equal(picks(from, 3), "ddd");
});

test("backups serve only while no other server is up, the first of them alone", () => {
  const backups = [server("x", 3, { backup: true }), server("y", 4, { backup: true })];
  const from = pool("roundrobin", [server("a", 1), server("b", 2), ...backups]);
  down(from, "a");
  assert.equal(picks(from, 2), "bb");
  down(from, "b");
  assert.equal(picks(from, 2), "xx");
  down(from, "x");
  assert.equal(picks(from, 2), "yy");
  down(from, "y");
  assert.equal(from.pick({ clientAddress: "x" }), undefined);
});

test("a server at its maxconn is passed over until a lane ends", () => {
  const from = pool("leastconn", [server("a", 1, { connectionsMax: 1 })]);
  assert.equal(picks(from, 2), "a-");
  from.servers[0]?.release();
  assert.equal(from.pick({ clientAddress: "x" })?.name, "a");
  assert.equal(from.lanes, 0);
});

test("servers that were tried are avoided", () => {
  const from = pool("roundrobin", [server("a", 1), server("b", 2)]);
  const [a, b] = from.servers;
  assert.ok(a && b);
  assert.equal(from.pick({ clientAddress: "x", avoid: new Set([a]) }), b);
  assert.equal(from.pick({ clientAddress: "x", avoid: new Set([a, b]) }), undefined);
});
