import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, framesOf } from "./testing/loopback.ts";
import {
  block,
  CLIENT_SETTINGS,
  data,
  type Field,
  GET,
  HEAD,
  headers,
  misdirected,
  OK,
  OTHER,
  OTHER_POST,
  POST,
  PREFACE,
  Scripted,
  SERVER_SETTINGS,
} from "./testing/scripted.ts";

test("a refused request is answered between whole frames, in the middle of another's DATA", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  const big = data(1, "0123456789");
  script.relay.serverData(big.subarray(0, 14));
  script.client(headers(3, OTHER));
  script.relay.serverData(big.subarray(14));
  const seen = script.atClient();
  assert.deepEqual(seen.slice(0, 2), ["HEADERS 1 :status: 200", "DATA 1 end 0123456789"]);
  assert.match(seen[2] ?? "", /^HEADERS 3 :status: 421 \| content-type: application\/json/);
  assert.match(seen[3] ?? "", /^DATA 3 end \{"kind":"Status".*"code":421/);
  assert.equal(seen.length, 4);
  assert.deepEqual(script.atServer(), [`HEADERS 1 end ${HEAD}`]);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 421 PR--", "GET /api/v1/pods 200 ----"]);
});

test("a refusal before the server's SETTINGS waits for them", () => {
  const script = new Scripted({ guards: [misdirected] });
  script.client(PREFACE, CLIENT_SETTINGS, headers(1, OTHER));
  assert.deepEqual(script.atClient(), []);
  script.server(SERVER_SETTINGS);
  assert.deepEqual(
    script.atClient().map((line) => line.split(" ", 2).join(" ")),
    ["SETTINGS 0", "HEADERS 1", "DATA 1"],
  );
});

test("a refused POST: its body in flight is swallowed and its window given back", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER_POST, { end: false }), data(1, "x".repeat(500), false));
  const seen = script.atClient();
  assert.match(seen[0] ?? "", /^HEADERS 1 :status: 421/);
  assert.deepEqual(seen.slice(2), ["WINDOW 0 +500"]);
  const body = data(1, "y".repeat(700));
  script.relay.clientData(body.subarray(0, 100));
  assert.deepEqual(script.atClient(), []);
  script.relay.clientData(body.subarray(100));
  assert.deepEqual(script.atClient(), ["WINDOW 0 +700"]);
  script.client(frame(8, 0, 1, "00000100"), frame(3, 0, 1, "00000008"), headers(1, [["x", "y"]]));
  assert.deepEqual(script.atServer(), [], "the server never hears of it");
  assert.equal(script.relay.openRequests, 0);
  assert.equal(script.lane.over, undefined);
});

test("a client that goes on sending a refused body is stopped a second later, one that ends is not", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER_POST, { end: false }), headers(3, OTHER_POST, { end: false }));
  script.client(headers(5, OTHER_POST, { end: false }), data(3, "x"), frame(3, 0, 5, "00000008"));
  script.atClient();
  assert.equal(script.lane.wokenAtMs, script.lane.nowMs + 1_000);
  script.lane.nowMs += 1_000;
  assert.equal(script.relay.checkTimeouts(script.lane.nowMs), Number.POSITIVE_INFINITY);
  assert.deepEqual(script.atClient(), ["RST_STREAM 1 code 0"]);
});

test("behind a refused block that changed the table, later ones are written anew", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER, { how: 0x40 }));
  // :method, :scheme and :path from the table, the authority by itself.
  const indexed = Buffer.concat([
    Buffer.from([0xc1, 0xc0, 0xbe]),
    block([[":authority", "api.example.com"]]),
  ]);
  script.client(headers(3, indexed));
  assert.deepEqual(script.atServer(), [
    "HEADERS 3 end :method: GET | :scheme: https | :path: /api/v1/pods | :authority: api.example.com",
  ]);
});

test("a client that goes on sending a refused body is stopped a second later, one that ends is not", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER_POST, { end: false }), headers(3, OTHER_POST, { end: false }));
  script.client(headers(5, OTHER_POST, { end: false }), data(3, "x"), frame(3, 0, 5, "00000008"));
  script.atClient();
  assert.equal(script.lane.wokenAtMs, script.lane.nowMs + 1_000);
  script.lane.nowMs += 1_000;
  assert.equal(script.relay.checkTimeouts(script.lane.nowMs), Number.POSITIVE_INFINITY);
  assert.deepEqual(script.atClient(), ["RST_STREAM 1 code 0"]);
});

test("behind a refused block that changed nothing, they go on as they came", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER));
  const chunk = headers(3, GET);
  script.relay.clientData(chunk);
  assert.equal(script.lane.server?.written.at(-1), chunk);
});

test("HEAD is refused without a body", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, [[":method", "HEAD"], ...OTHER.slice(1)]));
  const seen = script.atClient();
  assert.equal(seen.length, 1);
  assert.match(seen[0] ?? "", /^HEADERS 1 end :status: 421/);
});

test("a client without a window for the body gets the status alone", () => {
  const script = new Scripted({ guards: [misdirected] });
  script.client(PREFACE, frame(4, 0, 0, "0002 00000000 0004 00000000"));
  script.server(SERVER_SETTINGS);
  script.client(headers(1, OTHER));
  // No length is promised that no DATA keeps, RFC 9113 §8.1.1.
  assert.match(script.atClient().at(-1) ?? "", /^HEADERS 1 end :status: 421 .*content-length: 0 /);
});

test("a head above the limit gets 431 and the lane goes on", () => {
  const script = new Scripted({ headBytesMax: 1_000 }).begun();
  script.client(headers(1, [...GET, ["x-big", "b".repeat(2_000)]], { how: 0x40 }), headers(3, GET));
  assert.match(script.atClient()[0] ?? "", /^HEADERS 1 :status: 431/);
  assert.deepEqual(script.atServer(), [`HEADERS 3 end ${HEAD}`]);
});

for (const { rule, fields, status, says } of [
  {
    rule: "CONNECT",
    fields: [
      [":method", "CONNECT"],
      [":authority", "x:443"],
    ],
    status: 405,
    says: "CONNECT",
  },
  { rule: "a malformed request", fields: [...GET, ["Accept", "*/*"]], status: 400, says: "lower-case token" },
  { rule: "a path that is none", fields: [...GET.slice(0, 3), [":path", "x"]], status: 400, says: "slash" },
] satisfies { rule: string; fields: readonly Field[]; status: number; says: string }[]) {
  test(`${rule} is answered with ${status} and why, and the lane goes on`, () => {
    const script = new Scripted().begun();
    script.client(headers(1, fields), headers(3, GET));
    const [head = "", body = ""] = script.atClient();
    assert.ok(head.startsWith(`HEADERS 1 :status: ${status}`));
    assert.ok(body.includes(says), body);
    assert.deepEqual(script.atServer(), [`HEADERS 3 end ${HEAD}`]);
    assert.match(script.ended()[0] ?? "", new RegExp(`${status} PR--$`));
  });
}

test("streams above the cap are refused as not processed", () => {
  const script = new Scripted().begun();
  for (let id = 1; id <= 501; id += 2) script.client(headers(id, GET));
  assert.deepEqual(script.atClient(), ["RST_STREAM 501 code 7"]);
  assert.equal(script.atServer().length, 250);
  assert.equal(script.relay.openRequests, 250);
});

test("a body longer or shorter than its Content-Length is reset on both sides", () => {
  const lengths: readonly Field[] = [...POST, ["content-length", "4"]];
  for (const body of ["12345", "123"]) {
    const script = new Scripted().begun();
    script.client(headers(1, lengths, { end: false }), data(1, body));
    assert.deepEqual(script.atClient(), ["RST_STREAM 1 code 1", `WINDOW 0 +${body.length}`]);
    assert.deepEqual(script.atServer().slice(1), ["RST_STREAM 1 code 8"]);
  }
  const script = new Scripted().begun();
  script.client(headers(1, lengths, { end: false }), data(1, "1234"));
  assert.deepEqual(script.atServer().slice(1), ["DATA 1 end 1234"]);
});

// Windows.

test("DATA of the gate's own is paid back from the client's next WINDOW_UPDATEs", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.client(headers(1, OTHER));
  const used = (script.atClient()[1] ?? "").length - "DATA 1 end ".length + 1;
  script.client(frame(8, 0, 0, "00000010"));
  assert.deepEqual(script.atServer(), [], "the first 16 bytes only pay");
  script.client(frame(8, 0, 0, "00001000"), frame(8, 0, 0, "00001000"));
  assert.deepEqual(script.atServer(), [`WINDOW 0 +${4_096 + 16 - used}`, "WINDOW 0 +4096"]);
});

for (const { rule, pad } of [
  { rule: "what exceeds the client's window waits behind a dam, to the byte", pad: 0 },
  { rule: "a padded frame that exceeds it waits whole", pad: 2 },
]) {
  test(rule, () => {
    const script = new Scripted({ guards: [misdirected] }).begun();
    script.client(headers(1, GET), headers(3, OTHER));
    const used = Number(/content-length: (\d+)/.exec(script.atClient()[0] ?? "")?.[1]);
    // The server believes that all of the 65535 is its own.
    script.server(headers(1, OK, { end: false }));
    for (let at = 0; at < 3; at++) script.server(data(1, Buffer.alloc(16_384), false));
    const last = Buffer.alloc(16_383, "z");
    last[0] = pad - 1;
    script.server(pad === 0 ? data(1, last) : frame(0, 9, 1, last));
    const sizes = () =>
      script.atClient().map((line) => line.replace(/^(DATA 1(?: end)?) .*$/s, "$1").slice(0, 10));
    const first = pad === 0 ? ["DATA 1"] : [];
    assert.deepEqual(sizes(), ["HEADERS 1 ", "DATA 1", "DATA 1", "DATA 1", ...first]);
    const received = framesOf(script.lane.client.written)
      .filter(({ type }) => type === 0)
      .reduce((sum, { payload }) => sum + payload.length, 0);
    assert.equal(received, pad === 0 ? 65_535 : 49_152 + used);
    assert.equal(script.lane.server?.paused, true);
    script.client(frame(8, 0, 0, "00000001"));
    assert.deepEqual(sizes(), []);
    script.client(frame(8, 0, 0, "00004000"));
    assert.deepEqual(sizes(), ["DATA 1 end"]);
    assert.equal(script.lane.server?.paused, false);
    assert.deepEqual(script.ended(), ["GET /api/v1/pods 421 PR--", "GET /api/v1/pods 200 ----"]);
  });
}
