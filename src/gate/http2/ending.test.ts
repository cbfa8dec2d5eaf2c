import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLIENT_SETTINGS,
  data,
  type Field,
  GET,
  headers,
  POST,
  PREFACE,
  Scripted,
  SERVER_SETTINGS,
} from "./scripted.ts";
import { frame } from "./testing.ts";

const OK: readonly Field[] = [[":status", "200"]];
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
  script.client(headers(5, GET));
  assert.deepEqual(script.atServer(), [], "what is opened after that goes nowhere");
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
  assert.deepEqual(seen.slice(4), ["RST_STREAM 3 code 0", "RST_STREAM 5 code 2", "RST_STREAM 7 code 7"]);
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

for (const { rule, frames, code } of [
  { rule: "an even stream", frames: [headers(2, GET)], code: 1 },
  { rule: "DATA on a stream that has not begun", frames: [data(1, "x")], code: 1 },
  { rule: "WINDOW_UPDATE on a stream that has not begun", frames: [frame(8, 0, 1, "00000001")], code: 1 },
  { rule: "a WINDOW_UPDATE of zero", frames: [frame(8, 0, 0, "00000000")], code: 1 },
  { rule: "RST_STREAM on a stream that has not begun", frames: [frame(3, 0, 1, "00000008")], code: 1 },
  { rule: "DATA behind the end of its stream", frames: [headers(1, GET), data(1, "x")], code: 5 },
  { rule: "HEADERS behind the end of their stream", frames: [headers(1, GET), headers(1, GET)], code: 5 },
  { rule: "a broken header block", frames: [headers(1, Buffer.from([0xff]))], code: 9 },
  { rule: "an initial window above 2^31-1", frames: [frame(4, 0, 0, "0004 80000000")], code: 3 },
  { rule: "a push that is neither on nor off", frames: [frame(4, 0, 0, "0002 00000002")], code: 1 },
  { rule: "a frame size below the least", frames: [frame(4, 0, 0, "0005 00000001")], code: 1 },
]) {
  test(`refuses ${rule}: GOAWAY with code ${code}, and the lane closes`, () => {
    const script = new Scripted().begun();
    script.client(...frames);
    assert.match(script.atClient().at(-1) ?? "", new RegExp(`^GOAWAY 0 last \\d code ${code}`));
    assert.equal(script.lane.over, "close");
    assert.match(script.ended().join(), /PR--/);
    script.client(headers(9, GET));
    assert.equal(script.ended().length, 1, "nothing is read any more");
  });
}

test("HTTP/1 on an h2 lane is refused at its first bytes", () => {
  const script = new Scripted();
  script.relay.clientData(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  assert.deepEqual(script.atClient(), ["SETTINGS 0", "GOAWAY 0 last 0 code 1"]);
  assert.deepEqual(script.ended(), ["<BADREQ> - -1 PR--"]);
  assert.equal(script.lane.server?.text, "");
});

// Floods.

const nothing = Buffer.alloc(0);
for (const { rule, first = nothing, each, count } of [
  { rule: "PINGs", each: () => frame(6, 0, 0, "0000000000000000"), count: 1_001 },
  { rule: "SETTINGS", each: () => frame(4, 0, 0), count: 100 },
  { rule: "PRIORITY frames", each: () => frame(2, 0, 1, "0000000010"), count: 2_001 },
  {
    rule: "empty DATA",
    first: headers(1, POST, { end: false }),
    each: () => data(1, "", false),
    count: 1_001,
  },
  {
    rule: "padding and no DATA",
    first: headers(1, POST, { end: false }),
    each: () => frame(0, 8, 1, "02 0000"),
    count: 1_001,
  },
  { rule: "WINDOW_UPDATEs without DATA", each: () => frame(8, 0, 0, "00000001"), count: 20_001 },
  { rule: "frames of unknown types", each: () => frame(0x21, 0, 0), count: 1_001 },
  {
    rule: "rapid resets",
    each: (at: number) => Buffer.concat([headers(2 * at + 1, GET), frame(3, 0, 2 * at + 1, "00000008")]),
    count: 1_001,
  },
]) {
  test(`a flood of ${rule} ends the lane with ENHANCE_YOUR_CALM`, () => {
    const script = new Scripted().begun();
    script.client(first);
    for (let at = 0; at < count - 1; at++) script.client(each(at));
    assert.equal(script.lane.over, undefined, "up to the limit it goes on");
    script.client(each(count - 1));
    assert.equal(script.atClient().at(-1)?.endsWith("code 11"), true);
    assert.equal(script.lane.over, "close");
  });
}

test("resets that the client provokes from the server count as its own", () => {
  const script = new Scripted().begun();
  for (let at = 0; at < 1_001; at++) {
    script.client(headers(2 * at + 1, GET));
    script.server(frame(3, 0, 2 * at + 1, "00000001"));
  }
  assert.equal(script.atClient().at(-1), "GOAWAY 0 last 2001 code 11");
});

test("what is allowed comes back with time, and with DATA for WINDOW_UPDATEs", () => {
  const script = new Scripted().begun();
  const ping = frame(6, 0, 0, "0000000000000000");
  for (let at = 0; at < 1_000; at++) script.client(ping);
  script.lane.nowMs += 1_000;
  for (let at = 0; at < 100; at++) script.client(ping);
  assert.equal(script.lane.over, undefined);
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  for (let at = 0; at < 30_000; at++) {
    if (at % 2 === 0) script.server(data(1, "x", false));
    script.client(frame(8, 0, 1, "00000001"));
  }
  assert.equal(script.lane.over, undefined);
});

// Timeouts.

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
  assert.deepEqual(script.atClient().slice(-2), ["RST_STREAM 1 code 0", "WINDOW 0 +100"]);
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
