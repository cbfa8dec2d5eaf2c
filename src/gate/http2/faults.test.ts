import assert from "node:assert/strict";
import { test } from "node:test";
import { frame } from "./testing/loopback.ts";
import { data, GET, headers, OK, POST, Scripted } from "./testing/scripted.ts";

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
