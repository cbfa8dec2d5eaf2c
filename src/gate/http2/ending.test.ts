import assert from "node:assert/strict";
import { test } from "node:test";
import { frame } from "./testing/loopback.ts";
import {
  CLIENT_SETTINGS,
  data,
  GET,
  headers,
  OK,
  POST,
  PREFACE,
  Scripted,
  SERVER_SETTINGS,
} from "./testing/scripted.ts";

const MAX = 2 ** 31 - 1;
const goaway = (last: number, code = 0) => {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(last, 0);
  payload.writeUInt32BE(code, 4);
  return frame(7, 0, 0, payload);
};

// GOAWAY.

test("a server's GOAWAY passes; its streams go on, those above its last id are over", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, POST, { end: false }));
  script.server(goaway(MAX), goaway(1));
  script.client(data(3, "late"), headers(5, GET));
  script.server(headers(1, OK));
  assert.deepEqual(script.atClient(), [
    `GOAWAY 0 last ${MAX} code 0`,
    "GOAWAY 0 last 1 code 0",
    "HEADERS 1 end :status: 200",
  ]);
  assert.equal(script.atServer().length, 4, "what the client had under way still goes to the server");
  assert.deepEqual(script.ended(), [
    "POST /api/v1/pods -1 SH--",
    "GET /api/v1/pods -1 SH--",
    "GET /api/v1/pods 200 ----",
  ]);
  assert.equal(script.relay.openRequests, 0);
});

test("a client's GOAWAY passes", () => {
  const script = new Scripted().begun();
  script.client(goaway(0));
  assert.deepEqual(script.atServer(), ["GOAWAY 0 last 0 code 0"]);
});

test("drain: GOAWAY with the highest id, a PING, then the real id; streams go on, the lane closes with the last", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  script.relay.drain();
  const [first, ping = "", ...more] = script.atClient();
  assert.equal(first, `GOAWAY 0 last ${MAX} code 0`);
  assert.match(ping, /^PING 0 [0-9a-f]{16}$/);
  assert.deepEqual(more, []);
  script.client(headers(3, GET), frame(6, 1, 0, ping.slice(7)));
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 3 code 0"]);
  assert.equal(script.atServer().length, 2, "the PING's answer is not the server's");
  script.client(headers(5, POST, { end: false }), data(5, "x".repeat(100)));
  assert.deepEqual(script.atServer(), [], "what is opened after that goes nowhere");
  assert.deepEqual(script.atClient(), ["WINDOW 0 +100"]);
  script.server(headers(1, OK));
  assert.equal(script.lane.over, undefined);
  script.server(headers(3, OK));
  assert.equal(script.lane.over, "close");
});

test("drain: a PING's answer that is not the gate's goes to the server", () => {
  const script = new Scripted().begun();
  script.relay.drain();
  script.client(frame(6, 1, 0, "0000000000000000"));
  assert.deepEqual(script.atServer(), ["PING 0 ack 0000000000000000"]);
  assert.equal(script.lane.over, undefined);
});

test("drain: a client that never answers the PING is told the real id in the end", () => {
  const script = new Scripted().begun();
  script.relay.drain();
  script.atClient();
  script.lane.nowMs += 5_000;
  script.relay.checkTimeouts(script.lane.nowMs);
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 0 code 0"]);
  assert.equal(script.lane.over, "close");
});

test("a protocol error after the last word is still told", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  script.relay.drain();
  script.client(frame(6, 1, 0, (script.atClient()[1] ?? "").slice(7)), headers(2, GET));
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 1 code 0", "GOAWAY 0 last 1 code 1"]);
});

test("a last-stream id never rises: the server's word after the gate's", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, GET));
  script.relay.drain();
  const ping = script.atClient()[1] ?? "";
  script.client(frame(6, 1, 0, ping.slice(7)));
  script.server(goaway(MAX));
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 3 code 0", "GOAWAY 0 last 3 code 0"]);
});

// The server dies.

test("the server dies: GOAWAY, then each stream in a way its client understands", () => {
  const script = new Scripted().begun();
  script.client(
    headers(1, GET),
    headers(3, POST, { end: false }),
    headers(5, GET),
    headers(7, [[":method", "HEAD"], ...GET.slice(1)]),
  );
  script.server(headers(5, OK, { end: false }), data(5, "half", false));
  script.atClient();
  script.relay.serverClosed("ECONNRESET");
  const seen = script.atClient();
  assert.deepEqual(seen.slice(0, 2), ["GOAWAY 0 last 7 code 0", "RST_STREAM 1 code 7"]);
  assert.match(seen[2] ?? "", /^HEADERS 3 :status: 502/);
  assert.match(seen[3] ?? "", /^DATA 3 end .*may have been carried out/);
  assert.deepEqual(seen.slice(4), ["RST_STREAM 5 code 2", "RST_STREAM 7 code 7"]);
  assert.deepEqual(script.ended(), [
    "GET /api/v1/pods -1 SH--",
    "POST /api/v1/pods 502 SH--",
    "GET /api/v1/pods 200 SD--",
    "HEAD /api/v1/pods -1 SH--",
  ]);
  assert.equal(script.lane.over, "close");
});

test("the server dies before it said anything: the gate says SETTINGS first", () => {
  const script = new Scripted();
  script.client(PREFACE, CLIENT_SETTINGS, headers(1, POST));
  script.relay.serverEnd();
  const seen = script.atClient();
  assert.deepEqual(seen.slice(0, 2), ["SETTINGS 0", "GOAWAY 0 last 1 code 0"]);
  assert.match(seen[2] ?? "", /^HEADERS 1 :status: 502/);
});

test("the server dies in the middle of a DATA frame: nothing can follow, the connection ends there", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  script.relay.serverData(data(1, "0123456789").subarray(0, 12));
  const before = script.lane.client.text;
  script.relay.serverClosed("ECONNRESET");
  assert.equal(script.lane.client.text, before);
  assert.equal(script.lane.over, "close");
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 SD--"]);
});

test("a server that breaks the protocol is told so, its streams get 502", () => {
  const script = new Scripted().begun();
  script.client(headers(1, POST));
  script.server(frame(5, 4, 1, "00000002 82"));
  assert.equal(script.atServer()[1], "GOAWAY 0 last 0 code 1");
  assert.match(script.atClient().join("\n"), /^GOAWAY 0 last 1 code 0\nHEADERS 1 :status: 502/);
  assert.deepEqual(script.ended(), ["POST /api/v1/pods 502 PH--"]);
  assert.equal(script.lane.over, "close");
});

test("abort tells each open request and leaves", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, POST), headers(5, GET));
  script.server(headers(5, OK, { end: false }));
  script.atClient();
  script.relay.abort("stopping");
  const seen = script.atClient();
  assert.deepEqual(seen.slice(0, 2), ["GOAWAY 0 last 5 code 0", "RST_STREAM 1 code 7"]);
  assert.match(seen[2] ?? "", /^HEADERS 3 :status: 503/);
  assert.match(seen[3] ?? "", /shutting down; the request may have been carried out/);
  assert.deepEqual(seen.slice(4), ["RST_STREAM 5 code 2"]);
  assert.equal(script.lane.over, "close");
});

// The client leaves or breaks the protocol.

test("the client leaves: the lane is cut at once, its requests are told", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, GET));
  script.server(headers(1, OK, { end: false }));
  script.relay.clientEnd();
  script.relay.clientClosed("ECONNRESET");
  assert.equal(script.lane.over, "destroy");
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 CD--", "GET /api/v1/pods -1 CH--"]);
});

test("a client that leaves without a request is told as a lane", () => {
  const script = new Scripted().begun();
  script.relay.clientClosed(undefined);
  const [event] = script.lane.events;
  assert.ok(event?.kind === "lane");
  assert.equal(event.termination, "CR");
  assert.equal(event.bytesFromClient, PREFACE.length + CLIENT_SETTINGS.length);
});

test("a client's reset goes on and ends the request", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, GET));
  script.server(headers(3, OK, { end: false }));
  script.client(frame(3, 0, 1, "00000008"), frame(3, 0, 3, "00000008"));
  assert.deepEqual(script.atServer().slice(2), ["RST_STREAM 1 code 8", "RST_STREAM 3 code 8"]);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods -1 CH--", "GET /api/v1/pods 200 CD--"]);
  script.server(headers(1, OK, { end: false }), data(1, "in flight"));
  assert.equal(script.atClient().length, 3, "what the server had under way is the client's to count");
});

test("a server's reset goes on; after a whole answer it is no failure", () => {
  const script = new Scripted().begun();
  script.client(headers(1, POST, { end: false }), headers(3, POST, { end: false }), headers(5, GET));
  script.server(headers(1, OK), frame(3, 0, 1, "00000000"), frame(3, 0, 3, "00000002"));
  script.server(headers(5, OK, { end: false }), frame(3, 0, 5, "00000002"));
  assert.deepEqual(script.ended(), [
    "POST /api/v1/pods 200 ----",
    "POST /api/v1/pods -1 SH--",
    "GET /api/v1/pods 200 SD--",
  ]);
});

function later(script: Scripted, ms: number): number {
  script.lane.nowMs += ms;
  return script.relay.checkTimeouts(script.lane.nowMs);
}

// No server at all.

test("without a server the gate is one: SETTINGS, acknowledgements, an answer a stream, then GOAWAY", () => {
  const script = new Scripted({ local: true, noServer: "dial_refused" });
  assert.deepEqual(script.atClient(), ["SETTINGS 0 0003000000fa000600010000"]);
  script.client(
    PREFACE,
    CLIENT_SETTINGS,
    headers(1, GET),
    headers(3, [...GET.slice(0, 3), [":path", "/api"]]),
  );
  script.client(frame(4, 1, 0), frame(6, 0, 0, "0102030405060708"), frame(8, 0, 0, "00010000"));
  const seen = script.atClient();
  assert.equal(seen[0], "SETTINGS 0 ack");
  assert.match(seen[1] ?? "", /^HEADERS 1 :status: 503 \| content-type: application\/json/);
  assert.match(seen[3] ?? "", /^HEADERS 3 :status: 502 \| content-type: text\/plain/);
  assert.equal(seen[5], "PING 0 ack 0102030405060708");
  assert.equal(seen.length, 6);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 503 SC--", "GET /api 502 SC--"]);
  assert.equal(later(script, 100), 1_250);
  later(script, 150);
  assert.deepEqual(script.atClient(), ["GOAWAY 0 last 3 code 0"]);
  assert.equal(script.lane.over, "close");
});

test("without a server a body in flight is swallowed and its window given back", () => {
  const script = new Scripted({ local: true, noServer: "dial_refused" });
  script.client(PREFACE, CLIENT_SETTINGS, headers(1, POST, { end: false }), data(1, "x".repeat(100), false));
  assert.deepEqual(script.atClient().at(-1), "WINDOW 0 +100");
});

test("without a server a lane can be drained and aborted", () => {
  for (const act of ["drain", "abort"] as const) {
    const script = new Scripted({ local: true });
    script.client(PREFACE, CLIENT_SETTINGS);
    script.atClient();
    if (act === "abort") script.relay.abort("stopping");
    else {
      script.relay.drain();
      script.client(frame(6, 1, 0, (script.atClient()[1] ?? "").slice(7)));
    }
    assert.deepEqual(script.atClient(), ["GOAWAY 0 last 0 code 0"]);
    assert.equal(script.lane.over, "close");
  }
});

test("SETTINGS of both sides stay the first frame whatever comes of the other", () => {
  const script = new Scripted();
  script.relay.drain();
  assert.deepEqual(script.atClient(), []);
  script.client(PREFACE, CLIENT_SETTINGS);
  script.server(SERVER_SETTINGS);
  assert.deepEqual(
    script.atClient().map((line) => line.split(" ")[0]),
    ["SETTINGS", "GOAWAY", "PING"],
  );
});
