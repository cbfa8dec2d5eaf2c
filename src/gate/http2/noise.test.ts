import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, framesOf } from "./testing/loopback.ts";
import {
  CLIENT_SETTINGS,
  data,
  GET,
  headers,
  misdirected,
  OK,
  OTHER_POST,
  POST,
  PREFACE,
  Scripted,
  SERVER_SETTINGS,
} from "./testing/scripted.ts";

const ROUNDS = 400;

/** The same noise in each run (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test("whatever the peers send, in whatever pieces, the relay ends in order or goes on", () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomFrom(seed);
    const script = new Scripted({ guards: [misdirected], forwardedFor: "192.0.2.7" });
    const client = damaged(Buffer.concat([PREFACE, CLIENT_SETTINGS, ...someFrames(random)]), random);
    const server = damaged(Buffer.concat([SERVER_SETTINGS, ...someFrames(random)]), random);
    while (client.length + server.length > 0) {
      const fromClient = random(2) === 0;
      const bytes = (fromClient ? client : server).splice(0, 1 + random(60));
      if (fromClient) script.relay.clientData(Buffer.from(bytes));
      else script.relay.serverData(Buffer.from(bytes));
    }
    script.lane.nowMs += 10_000;
    script.relay.checkTimeouts(script.lane.nowMs);
    if (random(2) === 0) script.relay.serverClosed("ECONNRESET");
    else script.relay.clientClosed("ECONNRESET");
    assert.equal(script.relay.openRequests, 0, `seed ${seed}`);
    assert.notEqual(script.lane.over, undefined, `seed ${seed}`);
    assertWhole(script.lane.client.written, seed);
  }
});

/** Frames that make sense more often than not. */
function someFrames(random: (below: number) => number): Buffer[] {
  const kinds = [
    (id: number) => headers(id, GET, { how: random(2) === 0 ? 0x40 : 0x00 }),
    (id: number) => headers(id, [...GET, ["x-remote-user", "root"]], { how: 0x40 }),
    (id: number) => headers(id, OTHER_POST, { end: false, how: 0x40 }),
    (id: number) => headers(id, POST, { end: false }),
    (id: number) => headers(id, OK, { end: random(2) === 0, how: 0x40 }),
    (id: number) => data(id, "x".repeat(random(200)), random(2) === 0),
    (id: number) => frame(3, 0, id, "00000008"),
    (id: number) => frame(8, 0, random(2) * id, "00001000"),
    () => frame(6, random(2), 0, "0102030405060708"),
    () => frame(4, random(2), 0),
    (id: number) => frame(7, 0, 0, Buffer.from([0, 0, 0, id, 0, 0, 0, 0])),
    () => frame(random(256), random(256), random(9), Buffer.alloc(random(20), random(256))),
  ];
  return Array.from(
    { length: 12 },
    () => kinds[random(kinds.length)]?.(1 + 2 * random(6)) ?? Buffer.alloc(0),
  );
}

function damaged(bytes: Buffer, random: (below: number) => number): number[] {
  if (random(3) > 0) return [...bytes];
  for (let times = random(4); times > 0; times--) bytes[random(bytes.length)] = random(256);
  return [...bytes];
}

/** The client gets whole frames, but for one that its server never finished. */
function assertWhole(written: readonly Buffer[], seed: number): void {
  const bytes = Buffer.concat(written);
  const whole = framesOf(bytes).reduce((sum, { payload }) => sum + 9 + payload.length, 0);
  const rest = bytes.subarray(whole);
  if (rest.length === 0) return;
  assert.equal(rest[3], 0, `seed ${seed}: only DATA may be cut`);
}
