import assert from "node:assert/strict";
import { test } from "node:test";
import type { TunnelEnd } from "./relay.ts";
import { FakeConnection } from "./testing.ts";
import { createTunnel, FIN_MS_DEFAULT, type TunnelOptions } from "./tunnel.ts";

test("bytes pass both ways as they came, and are counted", () => {
  const { tunnel, client, server, ends } = setUp();
  const up = Buffer.from("stdin");
  tunnel.clientData(up);
  tunnel.serverData(Buffer.from("stdout"));
  assert.equal(server.written[0], up, "the same buffer, not a copy");
  assert.equal(client.text, "stdout");
  tunnel.clientEnd();
  tunnel.serverEnd();
  assert.deepEqual(ends, [{ bytesToClient: 6, bytesToServer: 5, termination: "--", reason: undefined }]);
});

test("a slow reader stops the other side's reads, until it has room again", () => {
  const { tunnel, client, server } = setUp();
  client.hasRoom = false;
  tunnel.serverData(Buffer.from("x"));
  assert.equal(server.paused, true);
  tunnel.clientDrain();
  assert.equal(server.paused, false);
  server.hasRoom = false;
  tunnel.clientData(Buffer.from("x"));
  assert.equal(client.paused, true);
  tunnel.serverDrain();
  assert.equal(client.paused, false);
});

test("a FIN in an upgraded stream is passed on, and ends the lane after client-fin", () => {
  const { tunnel, server, ends, clock, over } = setUp({ clientFinMs: 3_000 });
  tunnel.clientEnd();
  assert.equal(server.ended, true);
  assert.equal(clock.wokenAt, 3_000);
  clock.now = 2_999;
  assert.equal(tunnel.checkTimeouts(2_999), 3_000);
  tunnel.serverData(Buffer.from("late output still flows"));
  assert.equal(ends.length, 0);
  tunnel.checkTimeouts(3_000);
  assert.equal(ends[0]?.termination, "cD");
  assert.deepEqual(over, ["destroy"]);
});

test("unless set, client-fin of an upgraded stream is 10 s: HAProxy would keep it for the tunnel timeout", () => {
  const { tunnel, clock } = setUp({ tunnelMs: 86_400_000 });
  tunnel.clientEnd();
  assert.equal(clock.wokenAt, FIN_MS_DEFAULT);
});

test("mode tcp keeps a half-closed stream open", () => {
  const { tunnel, ends } = setUp({ kind: "tcp" });
  tunnel.clientEnd();
  assert.equal(tunnel.checkTimeouts(1e9), Number.POSITIVE_INFINITY);
  assert.equal(ends.length, 0);
});

test("silence of both sides ends it after timeout tunnel, any byte puts it off", () => {
  const { tunnel, ends, clock } = setUp({ tunnelMs: 1_000 });
  clock.now = 900;
  tunnel.serverData(Buffer.from("x"));
  assert.equal(tunnel.checkTimeouts(1_000), 1_900);
  assert.equal(ends.length, 0);
  tunnel.checkTimeouts(1_900);
  assert.deepEqual(ends[0], { bytesToClient: 1, bytesToServer: 0, termination: "cD", reason: "tunnel_idle" });
});

for (const row of [
  { rule: "a reset by the client ends the lane at once", by: "clientClosed", termination: "CD" },
  { rule: "a reset by the server ends the lane at once", by: "serverClosed", termination: "SD" },
] as const) {
  test(row.rule, () => {
    const { tunnel, ends, over } = setUp();
    tunnel[row.by]("ECONNRESET");
    assert.equal(ends[0]?.termination, row.termination);
    assert.deepEqual(over, ["destroy"]);
    tunnel.clientClosed(undefined);
    tunnel.serverClosed(undefined);
    assert.equal(ends.length, 1, "told once");
  });
}

test("a reset by the server behind its FIN does not take from the client what it sent", () => {
  const { tunnel, ends, over } = setUp({ kind: "tcp" });
  tunnel.serverData(Buffer.from("all of it"));
  tunnel.serverEnd();
  tunnel.serverClosed("ECONNRESET");
  assert.equal(ends[0]?.termination, "SD");
  assert.deepEqual(over, ["close"]);
});

function setUp(options: Partial<TunnelOptions> = {}) {
  const client = new FakeConnection("192.0.2.7", 50000);
  const server = new FakeConnection("10.0.0.1", 6443);
  const clock = { now: 0, wokenAt: Number.POSITIVE_INFINITY };
  const ends: TunnelEnd[] = [];
  const over: string[] = [];
  const tunnel = createTunnel({
    client,
    server,
    kind: "upgraded",
    tunnelMs: undefined,
    clientFinMs: undefined,
    serverFinMs: undefined,
    now: () => clock.now,
    wake: (at) => {
      clock.wokenAt = Math.min(clock.wokenAt, at);
    },
    ended: (end) => ends.push(end),
    close: () => over.push("close"),
    destroy: () => over.push("destroy"),
    ...options,
  });
  return { tunnel, client, server, clock, ends, over };
}
