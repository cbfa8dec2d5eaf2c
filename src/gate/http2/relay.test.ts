import assert from "node:assert/strict";
import { test } from "node:test";
import { everySplit } from "../../wire/testing.ts";
import { frame } from "./testing/loopback.ts";
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
  POST,
  PREFACE,
  Scripted,
  SERVER_SETTINGS,
  SETTINGS,
} from "./testing/scripted.ts";

// Bytes that pass.

test("a chunk without edits is written on as the very same buffer", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  const chunk = Buffer.concat([headers(1, OK, { end: false }), data(1, "x".repeat(1_000))]);
  script.relay.serverData(chunk);
  assert.equal(script.lane.client.written.at(-1), chunk);
  const request = headers(3, GET);
  script.relay.clientData(request);
  assert.equal(script.lane.server?.written.at(-1), request);
});

test("a chunk with edits is one write", () => {
  const script = new Scripted({ forwardedFor: "192.0.2.7" }).begun();
  const before = script.lane.server?.written.length ?? 0;
  script.client(headers(1, GET), headers(3, GET), headers(5, POST, { end: false }), data(5, "body"));
  assert.equal(script.lane.server?.written.length, before + 1);
  assert.deepEqual(script.atServer(), [
    `HEADERS 1 end ${HEAD} | x-forwarded-for: 192.0.2.7`,
    `HEADERS 3 end ${HEAD} | x-forwarded-for: 192.0.2.7`,
    `HEADERS 5 ${HEAD.replace("GET", "POST")} | x-forwarded-for: 192.0.2.7`,
    "DATA 5 end body",
  ]);
});

test("a DATA payload is not waited for", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  script.server(headers(1, OK, { end: false }));
  const whole = data(1, "abcdef");
  script.relay.serverData(whole.subarray(0, 12));
  assert.equal(script.lane.client.written.at(-1)?.length, 12);
  script.relay.serverData(whole.subarray(12));
  assert.equal(script.lane.client.written.at(-1)?.toString(), "def");
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 ----"]);
});

test("however an exchange is cut, the peers get the same bytes", () => {
  const client = Buffer.concat([
    PREFACE,
    CLIENT_SETTINGS,
    headers(1, GET, { how: 0x40 }),
    headers(3, POST, { end: false }),
    frame(0, 8, 3, "02 6161 0000"),
    data(3, "b"),
    frame(8, 0, 0, "00001000"),
    headers(5, [...GET, ["x-remote-user", "root"]]),
    headers(7, GET),
    frame(6, 0, 0, "0102030405060708"),
  ]);
  const server = Buffer.concat([
    SERVER_SETTINGS,
    frame(4, 1, 0),
    headers(1, OK, { end: false, how: 0x40 }),
    data(1, "answer"),
    frame(1, 1, 3, block(OK)),
    frame(9, 4, 3, block([["x", "y"]])),
    frame(3, 0, 5, "00000002"),
  ]);
  let expected: { toServer: string; toClient: string } | undefined;
  const check = (fromClient: readonly Buffer[], fromServer: readonly Buffer[], how: string) => {
    const script = new Scripted({ forwardedFor: "192.0.2.7" });
    for (const chunk of fromClient) script.relay.clientData(chunk);
    for (const chunk of fromServer) script.relay.serverData(chunk);
    const seen = { toServer: script.lane.server?.text ?? "", toClient: script.lane.client.text };
    expected ??= seen;
    assert.deepEqual(seen, expected, how);
    assert.equal(script.lane.over, undefined, how);
    assert.equal(script.relay.openRequests, 1, how);
  };
  everySplit(client, (chunks, how) => check(chunks, [Buffer.from(server)], how));
  everySplit(server, (chunks, how) => check([Buffer.from(client)], chunks, how));
});

// SETTINGS.

for (const { rule, from, setting, becomes } of [
  {
    rule: "a client's push is switched off",
    from: "client",
    setting: "0002 00000001",
    becomes: "000200000000",
  },
  {
    rule: "push is switched off where nothing is said",
    from: "client",
    setting: "",
    becomes: "000200000000",
  },
  {
    rule: "a server's cap on streams stays where it is lower",
    from: "server",
    setting: "0003 00000064",
    becomes: "000300000064",
  },
  {
    rule: "a server's cap on streams is lowered",
    from: "server",
    setting: "0003 ffffffff",
    becomes: "0003000000fa",
  },
  {
    rule: "a cap on streams is put where there is none",
    from: "server",
    setting: "0004 00010000",
    becomes: "0004000100000003000000fa",
  },
  {
    rule: "extended CONNECT is not offered",
    from: "server",
    setting: "0003 00000064 0008 00000001",
    becomes: "000300000064000800000000",
  },
  {
    rule: "a header table is capped",
    from: "server",
    setting: "0003 00000064 0001 7fffffff",
    becomes: "000300000064000100010000",
  },
] as const) {
  test(`${rule}, in the frame that was sent`, () => {
    const script = new Scripted();
    script.client(PREFACE, from === "client" ? frame(4, 0, 0, setting) : CLIENT_SETTINGS);
    script.server(from === "server" ? frame(4, 0, 0, setting) : SERVER_SETTINGS);
    const seen = from === "client" ? script.atServer() : script.atClient();
    assert.deepEqual(seen, [`SETTINGS 0 ${becomes}`]);
  });
}

test("acknowledgements and later SETTINGS pass as they are", () => {
  const script = new Scripted().begun();
  script.client(frame(4, 1, 0), frame(4, 0, 0, "0004 00020000"));
  script.server(frame(4, 1, 0), SETTINGS);
  assert.deepEqual(script.atServer(), ["SETTINGS 0 ack", "SETTINGS 0 000400020000"]);
  assert.deepEqual(script.atClient(), ["SETTINGS 0 ack", "SETTINGS 0"]);
});

// Heads.

for (const { rule, request, expected } of [
  {
    rule: "behind a padded HEADERS frame's fields, before its padding",
    request: frame(1, 0x0d, 1, Buffer.concat([Buffer.from([3]), block(GET), Buffer.alloc(3)])),
    expected: (bytes: Buffer) => bytes.subarray(-3).equals(Buffer.alloc(3)),
  },
  {
    rule: "behind a HEADERS frame with priority",
    request: frame(1, 0x25, 1, Buffer.concat([Buffer.from("0000000010", "hex"), block(GET)])),
    expected: (bytes: Buffer) => bytes.toString("latin1").endsWith("192.0.2.7"),
  },
  {
    rule: "in the last CONTINUATION",
    request: Buffer.concat([frame(1, 1, 1, block(GET.slice(0, 2))), frame(9, 4, 1, block(GET.slice(2)))]),
    expected: (bytes: Buffer) => bytes.toString("latin1").endsWith("192.0.2.7"),
  },
  {
    rule: "in a CONTINUATION of its own where the frame is full",
    request: headers(1, [...GET, ["x-pad", "p".repeat(16_384 - block(GET).length - 10)]]),
    expected: (bytes: Buffer) =>
      bytes.subarray(-9 - 27, -27).equals(frame(9, 4, 1, Buffer.alloc(27)).subarray(0, 9)),
  },
]) {
  test(`X-Forwarded-For is added ${rule}`, () => {
    everySplitOfSmall(request, (chunks, how) => {
      const script = new Scripted({ forwardedFor: "192.0.2.7" }).begun();
      for (const chunk of chunks) script.relay.clientData(chunk);
      const bytes = Buffer.concat(script.lane.server?.written.slice(1) ?? []);
      assert.ok(expected(bytes), how);
      assert.ok(bytes.includes("x-forwarded-for"), how);
      assert.equal(bytes.length, request.length + 27 + (request.length > 16_000 ? 9 : 0), how);
      assert.equal(script.relay.openRequests, 1, how);
    });
  });
}

test("a removed header is not in the block, and the server's table is emptied first", () => {
  const script = new Scripted({ forwardedFor: "192.0.2.7" }).begun();
  // A client may lean on what it entered into the table in any block, also in one that was written anew.
  const fields: readonly Field[] = [...GET, ["authorization", "Bearer secret"], ["x-remote-user", "root"]];
  script.client(headers(1, fields, { how: 0x40 }));
  script.client(headers(3, Buffer.from([0xc3, 0xc2, 0xc1, 0xc0, 0xbf])));
  script.client(headers(5, Buffer.from([0xc3, 0xc2, 0xc1, 0xc0, 0xbe])));
  const expected = `${HEAD} | authorization: Bearer secret | x-forwarded-for: 192.0.2.7`;
  assert.deepEqual(script.atServer(), [
    `HEADERS 1 end ${expected}`,
    `HEADERS 3 end ${expected}`,
    `HEADERS 5 end ${HEAD} | x-forwarded-for: 192.0.2.7`,
  ]);
  const [, first, second] = script.lane.server?.written ?? [];
  assert.equal(first?.[9], 0x20, "the first block begins with a size update to 0");
  assert.notEqual(second?.[9], 0x20, "later ones do not");
});

test("a client's X-Forwarded-For is replaced, also where none is added", () => {
  for (const forwardedFor of ["192.0.2.7", undefined]) {
    const script = new Scripted({ forwardedFor }).begun();
    script.client(headers(1, [...GET, ["x-forwarded-for", "10.0.0.1"]]));
    const added = forwardedFor === undefined ? "" : ` | x-forwarded-for: ${forwardedFor}`;
    assert.deepEqual(script.atServer(), [`HEADERS 1 end ${HEAD}${added}`]);
  }
});

test("request trailers become an empty DATA that ends the stream", () => {
  const script = new Scripted().begun();
  script.client(headers(1, POST, { end: false }), data(1, "body", false));
  script.client(headers(1, [["x-sum", "1"]], { how: 0x40 }));
  script.client(headers(3, GET), headers(5, [...GET.slice(0, 3), [":path", "/x"]]));
  assert.deepEqual(script.atServer(), [
    `HEADERS 1 ${HEAD.replace("GET", "POST")}`,
    "DATA 1 body",
    "DATA 1 end",
    `HEADERS 3 end ${HEAD}`,
    `HEADERS 5 end ${HEAD.replace("/api/v1/pods", "/x")}`,
  ]);
});

test("answers pass with interim heads and trailers, and are told with what they carried", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET));
  script.server(headers(1, [[":status", "103"]], { end: false }), headers(1, OK, { end: false }));
  script.server(data(1, "12345", false), headers(1, [["x-sum", "1"]]));
  const [event] = script.lane.events;
  assert.ok(event?.kind === "request");
  assert.equal(event.status, 200);
  assert.equal(event.bytesToClient > 5 && event.bytesToClient < 100, true);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 200 ----"]);
});

test("a malformed answer becomes 502, and the server's stream is reset", () => {
  const script = new Scripted().begun();
  script.client(headers(1, GET), headers(3, GET));
  script.server(headers(1, [["content-type", "x"]], { how: 0x40 }), headers(3, OK));
  assert.match(
    script.atClient().join("\n"),
    /^HEADERS 1 :status: 502 .*\nDATA 1 end .*\nHEADERS 3 end :status: 200$/,
  );
  assert.deepEqual(script.atServer().slice(2), ["RST_STREAM 1 code 1"]);
  assert.deepEqual(script.ended(), ["GET /api/v1/pods 502 PH--", "GET /api/v1/pods 200 ----"]);
});

test("once an answer's block was kept from the client, later ones are written anew", () => {
  const script = new Scripted({ guards: [] }).begun();
  script.client(headers(1, GET), headers(3, GET));
  // Enters two fields, and is malformed: it does not go on.
  script.server(
    headers(
      1,
      [
        ["x-a", "1"],
        ["x-b", "2"],
      ],
      { how: 0x40 },
    ),
  );
  script.server(headers(3, Buffer.from([0x88, 0xbf, 0xbe])));
  assert.equal(script.atClient().at(-1), "HEADERS 3 end :status: 200 | x-a: 1 | x-b: 2");
});

// Backpressure.

test("a slow reader pauses the other leg, and its drain resumes it", () => {
  const script = new Scripted().begun();
  script.client(headers(1, POST, { end: false }));
  script.server(headers(1, OK, { end: false }));
  script.lane.client.hasRoom = false;
  script.server(data(1, "x", false));
  assert.equal(script.lane.server?.paused, true);
  assert.equal(script.lane.client.paused, false);
  script.lane.client.hasRoom = true;
  script.relay.clientDrain();
  assert.equal(script.lane.server?.paused, false);
  assert.ok(script.lane.server);
  script.lane.server.hasRoom = false;
  script.client(data(1, "y", false));
  assert.equal(script.lane.client.paused, true);
  script.lane.server.hasRoom = true;
  script.relay.serverDrain();
  assert.equal(script.lane.client.paused, false);
});

test("a client that does not read the gate's own answers is not read either", () => {
  const script = new Scripted({ guards: [misdirected] }).begun();
  script.lane.client.hasRoom = false;
  script.client(headers(1, OTHER));
  assert.equal(script.lane.client.paused, true);
  script.relay.clientDrain();
  assert.equal(script.lane.client.paused, false);
});

// Extension frames.

test("frames of extensions are dropped: whoever does not know them must (RFC 9113 §5.5)", () => {
  const script = new Scripted().begun();
  const origin = frame(0x0c, 0, 0, Buffer.from("\x00\x13https://evil.example"));
  script.server(origin, frame(6, 0, 0, "0102030405060708"));
  script.client(frame(0xfa, 0, 0, "00"), frame(6, 1, 0, "0102030405060708"));
  assert.deepEqual(script.atClient(), ["PING 0 0102030405060708"]);
  assert.deepEqual(script.atServer(), ["PING 0 ack 0102030405060708"]);
});

// Debug.

test("heads are told with debug, without their secrets", () => {
  const script = new Scripted({ debug: true }).begun();
  const path = "/api/v1/pods?token=hunter2";
  script.client(
    headers(1, [
      ...GET.slice(0, 3),
      [":path", path],
      ["authorization", "Bearer hunter2"],
      ["cookie", "s=hunter2"],
    ]),
  );
  const [event] = script.lane.events;
  assert.ok(event?.kind === "head");
  assert.match(event.lines[0] ?? "", /^stream 1: GET \/api\/v1\/pods\?token=<redacted> HTTP\/2\.0$/);
  assert.ok(!JSON.stringify(event.lines).includes("hunter2"));
});

function everySplitOfSmall(bytes: Buffer, run: (chunks: readonly Buffer[], how: string) => void): void {
  if (bytes.length < 1_000) everySplit(bytes, run);
  else run([Buffer.from(bytes)], "whole");
}
