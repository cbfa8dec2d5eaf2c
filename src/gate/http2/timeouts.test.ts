import assert from "node:assert/strict";
import { test } from "node:test";
import { frame } from "./testing/loopback.ts";
import { data, GET, headers, OK, POST, Scripted } from "./testing/scripted.ts";

const TIMEOUTS = {
  clientMs: 2_000,
  serverMs: 3_000,
  httpRequestMs: 1_000,
  httpKeepAliveMs: 5_000,
  tunnelMs: undefined,
  clientFinMs: undefined,
  serverFinMs: undefined,
};

function later(script: Scripted, ms: number): number {
  script.lane.nowMs += ms;
  return script.relay.checkTimeouts(script.lane.nowMs);
}

test("no answer in time: 504, and the server's stream is reset; what still comes of it is swallowed", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, POST), headers(3, GET));
  assert.equal(later(script, 2_999), script.lane.nowMs + 1);
  assert.deepEqual(script.ended(), []);
  script.server(headers(3, OK, { end: false }));
  script.atClient();
  later(script, 1);
  assert.match(script.atClient()[0] ?? "", /^HEADERS 1 :status: 504/);
  assert.equal(script.atServer().at(-1), "RST_STREAM 1 code 8");
  assert.deepEqual(script.ended(), ["POST /api/v1/pods 504 sH--"]);
  script.server(headers(1, OK, { end: false }), data(1, "late"));
  assert.deepEqual(script.atClient(), []);
  assert.deepEqual(script.atServer(), ["WINDOW 0 +4"]);
});

test("an answer that stops: both sides are reset", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  later(script, 2_000);
  script.server(data(1, "x", false));
  later(script, 2_000);
  assert.deepEqual(script.ended(), []);
  later(script, 1_000);
  assert.deepEqual(script.atClient().slice(2), ["RST_STREAM 1 code 2"]);
  assert.equal(script.atServer().at(-1), "RST_STREAM 1 code 8");
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 sD--"]);
});

test("a request body that stops is the client's fault", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, POST, { end: false }));
  later(script, 2_000);
  assert.deepEqual(script.atClient(), ["RST_STREAM 1 code 8"]);
  assert.deepEqual(script.ended(), ["POST /api/v1/pods -1 cD--"]);
});

test("a client that does not read makes no server late", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, GET));
  script.lane.client.hasRoom = false;
  script.server(headers(1, OK, { end: false }));
  later(script, 2_000);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 cD--"]);
});

test("a server that stops in the middle of a frame ends the lane", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  script.relay.serverData(data(1, "0123456789").subarray(0, 12));
  later(script, 3_000);
  assert.equal(script.lane.over, "destroy");
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 sD--"]);
});

test("a head that does not become whole ends the lane", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(frame(1, 1, 1, "82"));
  later(script, 999);
  assert.equal(script.lane.over, undefined);
  later(script, 1);
  assert.equal(script.lane.over, "close");
  assert.deepEqual(script.ended(), ["<BADREQ> - -1 cR--"]);
});

test("a client that says nothing is left in silence", () => {
  const script = new Scripted({ timeouts: TIMEOUTS });
  assert.equal(script.lane.wokenAtMs, 2_000);
  later(script, 1_000);
  assert.equal(script.lane.over, "close");
  assert.equal(script.lane.client.text, "");
});

test("between requests the lane may rest for its keep-alive, then says GOAWAY; PINGs do not count", () => {
  const script = new Scripted({ timeouts: TIMEOUTS }).begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK));
  script.atClient();
  script.client(frame(6, 0, 0, "0102030405060708"));
  assert.equal(later(script, 4_999), script.lane.nowMs + 1);
  later(script, 1);
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 1 code 0"]);
  assert.equal(script.lane.over, "close");
});

test("a lane on which nothing is awaited asks for no look", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  assert.equal(script.lane.wokenAtMs, Number.POSITIVE_INFINITY);
  assert.equal(script.relay.checkTimeouts(script.lane.nowMs), Number.POSITIVE_INFINITY);
});
