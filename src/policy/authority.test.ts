import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frontend, Route, ServerNamePattern } from "../model/index.ts";
import { matchAuthority } from "./authority.ts";
import { testAsk } from "./testing.ts";

const AT = { file: "test.cfg", line: 1, column: 1 } as const;

function frontend(routes: readonly Route[]): Frontend {
  return {
    name: "fe",
    at: AT,
    mode: "http",
    binds: [],
    routes,
    defaultBackend: "a",
    timeouts: {},
    log: { targets: [], format: "httplog", dontLogNull: false },
    forwardFor: true,
    headBytesMax: 65536,
  };
}

function route(backend: string, names: readonly ServerNamePattern[], more: Partial<Route> = {}): Route {
  return { at: AT, names, negate: false, backend, tls: "terminate", ...more };
}

const exact = (value: string): ServerNamePattern => ({ kind: "exact", value });

const ROUTES: readonly Route[] = [
  route("a", [exact("a.example.com")]),
  route("b", [exact("b.example.com"), exact("b2.example.com")]),
  route("a", [exact("b.example.com")]),
  route("raw", [exact("raw.example.com")], { tls: "passthrough" }),
  route("a", [{ kind: "wildcard", value: "*.wild.example.com" }, exact("c.other.example.com")]),
  route("w", [{ kind: "suffix", value: ".other.example.com" }], { except: [exact("no.other.example.com")] }),
  route("late", [exact("late.other.example.com")]),
  route("r", [{ kind: "regex", value: "^reg[0-9]+\\." }]),
];

const CASES: readonly (readonly [rule: string, authority: string | undefined, passes: boolean])[] = [
  ["its own name", "a.example.com", true],
  ["its own name with a port", "a.example.com:6443", true],
  ["its own name in another case, with a trailing dot", "A.Example.COM.:443", true],
  ["a name of another backend", "b.example.com", false],
  ["the second name of another backend's rule", "b2.example.com", false],
  ["another's name with a port", "b.example.com:6443", false],
  ["another's name in another case, with a trailing dot", "B.EXAMPLE.com.", false],
  ["another's name behind userinfo", "me@b.example.com", false],
  ["a name that is passed through", "raw.example.com", false],
  ["a name no rule has", "unknown.example.com", true],
  ["a name below one of a rule", "x.b.example.com", true],
  ["an IPv4 address", "10.0.0.1:6443", true],
  ["an IPv6 address", "[2001:db8::1]:6443", true],
  ["an IPv6 address without brackets", "2001:db8::1", true],
  ["no authority", undefined, true],
  ["an empty one", "", true],
  ["a wildcard's name of its own backend", "x.wild.example.com", true],
  ["two labels in place of a star", "x.y.wild.example.com", true],
  ["a suffix of another backend", "x.other.example.com", false],
  ["an exception of that suffix", "no.other.example.com", true],
  ["a written name that an earlier rule gives to its own backend", "c.other.example.com", true],
  ["a written name that an earlier pattern takes", "late.other.example.com", false],
  ["a regular expression of another backend", "reg7.example.com", false],
];

for (const [rule, authority, passes] of CASES) {
  test(`${rule} ${passes ? "passes" : "is refused with 421"}`, () => {
    const guard = matchAuthority(frontend(ROUTES));
    const expected = passes ? { kind: "pass" } : { kind: "refuse", reason: "wrong_authority" };
    for (let round = 0; round < 2; round++) assert.deepEqual(guard(testAsk({ authority })), expected);
    guard(testAsk({ authority: "b.example.com" }));
    assert.deepEqual(guard(testAsk({ authority })), expected, "asked between others");
  });
}

test("the lane's backend decides, not the name it was made with", () => {
  const guard = matchAuthority(frontend(ROUTES));
  assert.equal(guard(testAsk({ authority: "b.example.com" }, { backend: "b" })).kind, "pass");
  assert.equal(guard(testAsk({ authority: "a.example.com" }, { backend: "b" })).kind, "refuse");
  assert.equal(guard(testAsk({ authority: "b.example.com" }, { backend: undefined })).kind, "refuse");
});

test("a default backend, a rule for any name and a rule turned round name nobody", () => {
  const any = matchAuthority(frontend([route("b", [{ kind: "any" }])]));
  const but = matchAuthority(frontend([route("b", [exact("a.example.com")], { negate: true })]));
  const none = matchAuthority(frontend([]));
  for (const guard of [any, but, none]) {
    for (const authority of ["a.example.com", "x.example.com"])
      assert.equal(guard(testAsk({ authority })).kind, "pass");
  }
});

test("a lane without TLS has no server name, so its authority cannot be wrong", () => {
  const guard = matchAuthority(frontend(ROUTES));
  assert.equal(guard(testAsk({ authority: "b.example.com" }, { tls: false })).kind, "pass");
});

test("an absolute target speaks for itself, RFC 9112 §3.2.2", () => {
  const guard = matchAuthority(frontend(ROUTES));
  assert.equal(guard(testAsk({ target: "https://b.example.com:6443/api" })).kind, "refuse");
  assert.equal(
    guard(testAsk({ target: "https://a.example.com/api", authority: "b.example.com" })).kind,
    "pass",
  );
});

test("a thousand names are one look-up", () => {
  const many = Array.from({ length: 1000 }, (_, index) =>
    route(`k${index}`, [exact(`k${index}.example.com`)]),
  );
  const guard = matchAuthority(frontend(many));
  const ask = testAsk({ authority: "k999.example.com" }, { backend: "k999" });
  const started = process.cpuUsage().user;
  for (let round = 0; round < 100_000; round++) {
    guard(ask);
    guard(round % 2 ? ask : testAsk({ authority: "k1.example.com" }, { backend: "k1" }));
  }
  assert.ok(process.cpuUsage().user - started < 2_000_000);
});
