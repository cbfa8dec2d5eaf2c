import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderField } from "../../wire/http2/index.ts";
import { RequestHead } from "./heads.ts";

type Field = readonly [string, string];
const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":authority", "api.example.com:6443"],
  [":path", "/api"],
];

function read(fields: readonly Field[], endStream = true): RequestHead {
  const head = new RequestHead();
  head.begin();
  for (const [name, value] of fields) head.field(new HeaderField(name, value));
  head.end(endStream);
  return head;
}

const without = (name: string) => GET.filter(([each]) => each !== name);
const withValue = (name: string, value: string) =>
  GET.map(([each, old]): Field => [each, each === name ? value : old]);

for (const { rule, fields } of [
  { rule: "no :method", fields: without(":method") },
  { rule: "no :scheme", fields: without(":scheme") },
  { rule: "no :path", fields: without(":path") },
  { rule: "an empty :path", fields: withValue(":path", "") },
  { rule: "a method that is no token", fields: withValue(":method", "G T") },
  { rule: "a scheme that is none of the web's", fields: withValue(":scheme", "ftp") },
  { rule: "userinfo in :authority", fields: withValue(":authority", "root@api.example.com") },
  { rule: "a pseudo-header twice", fields: [...GET.slice(0, 1), ...GET] },
  { rule: "a pseudo-header behind others", fields: [["accept", "*/*"], ...GET] },
  { rule: "an unknown pseudo-header", fields: [...GET, [":protocol", "websocket"]] },
  { rule: "a response's pseudo-header", fields: [...GET, [":status", "200"]] },
  { rule: "an upper-case name", fields: [...GET, ["Accept", "*/*"]] },
  { rule: "an empty name", fields: [...GET, ["", "x"]] },
  { rule: "a space in a name", fields: [...GET, ["x y", "z"]] },
  { rule: "a colon inside a name", fields: [...GET, ["x:y", "z"]] },
  { rule: "a byte above ASCII in a name", fields: [...GET, ["x-ä", "z"]] },
  { rule: "CR in a value", fields: [...GET, ["x", "a\rb"]] },
  { rule: "LF in a value", fields: [...GET, ["x", "a\nb: c"]] },
  { rule: "NUL in a value", fields: [...GET, ["x", "a\0b"]] },
  { rule: "DEL in a value", fields: [...GET, ["x", "a\x7fb"]] },
  { rule: "a space before a value", fields: [...GET, ["x", " a"]] },
  { rule: "a tab behind a value", fields: [...GET, ["x", "a\t"]] },
  { rule: "connection", fields: [...GET, ["connection", "close"]] },
  { rule: "proxy-connection", fields: [...GET, ["proxy-connection", "close"]] },
  { rule: "keep-alive", fields: [...GET, ["keep-alive", "1"]] },
  { rule: "transfer-encoding", fields: [...GET, ["transfer-encoding", "chunked"]] },
  { rule: "upgrade", fields: [...GET, ["upgrade", "websocket"]] },
  { rule: "te other than trailers", fields: [...GET, ["te", "gzip"]] },
  { rule: "x_remote_user", fields: [...GET, ["x_remote_user", "root"]] },
  { rule: "x-remote_group", fields: [...GET, ["x-remote_group", "system:masters"]] },
  { rule: "impersonate_user", fields: [...GET, ["impersonate_user", "root"]] },
  { rule: "content_length", fields: [...GET, ["content_length", "1"]] },
  { rule: "two authorizations", fields: [...GET, ["authorization", "a"], ["authorization", "a"]] },
  { rule: "a host that differs from :authority", fields: [...GET, ["host", "other.example.com"]] },
  { rule: "two hosts", fields: [...without(":authority"), ["host", "a"], ["host", "a"]] },
  { rule: "two lengths", fields: [...GET, ["content-length", "0"], ["content-length", "0"]] },
  { rule: "a length that is no number", fields: [...GET, ["content-length", "+1"]] },
  { rule: "a length without a body", fields: [...GET, ["content-length", "1"]] },
  { rule: "a path without a slash", fields: withValue(":path", "api") },
  { rule: "a whole URL as path", fields: withValue(":path", "https://api.example.com/api") },
  { rule: "a space in the path", fields: withValue(":path", "/a b") },
  { rule: "a fragment in the path", fields: withValue(":path", "/a#b") },
  { rule: "a byte above ASCII in the path", fields: withValue(":path", "/\x80") },
  { rule: "* for anything but OPTIONS", fields: withValue(":path", "*") },
] satisfies { rule: string; fields: readonly Field[] }[]) {
  test(`refuses ${rule} (RFC 9113 §8.2, §8.3, or DESIGN §5)`, () => {
    assert.notEqual(read(fields).fault, undefined);
  });
}

for (const { rule, fields } of [
  { rule: "a plain GET", fields: GET },
  { rule: "host beside the same :authority", fields: [...GET, ["host", "api.example.com:6443"]] },
  { rule: "OPTIONS *", fields: [[":method", "OPTIONS"], ...withValue(":path", "*").slice(1)] },
  { rule: "te: trailers", fields: [...GET, ["te", "trailers"]] },
  {
    rule: "an empty value, and spaces and bytes above ASCII inside one",
    fields: [...GET, ["x", ""], ["y", "a \t\xe4 b"]],
  },
  { rule: "underscores in a name of its own", fields: [...GET, ["my_own", "1"]] },
  { rule: "cookies in crumbs", fields: [...GET, ["cookie", "a=1"], ["cookie", "b=2"]] },
  {
    rule: "several groups to impersonate",
    fields: [...GET, ["impersonate-group", "a"], ["impersonate-group", "b"]],
  },
  { rule: "an IPv6 authority", fields: withValue(":authority", "[2001:db8::1]:6443") },
] satisfies { rule: string; fields: readonly Field[] }[]) {
  test(`lets ${rule} pass`, () => assert.equal(read(fields).fault, undefined));
}

test("tells what a log and a guard need", () => {
  const head = read(
    [
      ...without(":authority"),
      ["host", "h.example.com"],
      ["user-agent", "kubectl/v1.32.5"],
      ["content-length", "12"],
      ["x-real-ip", "1.2.3.4"],
    ],
    false,
  );
  assert.equal(head.fault, undefined);
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/api");
  assert.equal(head.authority, "h.example.com");
  assert.equal(head.userAgent, "kubectl/v1.32.5");
  assert.equal(head.contentLength, 12);
  assert.equal(head.hasRemoved, true);
});

test("a head leaves nothing behind for the next one", () => {
  const head = read([
    ...GET,
    ["authorization", "a"],
    ["host", "api.example.com:6443"],
    ["content-length", "0"],
  ]);
  head.begin();
  for (const [name, value] of [...without(":authority"), ["authorization", "b"]] as const) {
    head.field(new HeaderField(name, value));
  }
  head.end(true);
  assert.equal(head.fault, undefined);
  assert.equal(head.authority, undefined);
  assert.equal(head.contentLength, -1);
});
