import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesRoute, matchesServerName, normalServerName, type ServerNamePattern } from "./server-name.ts";

const suffix: ServerNamePattern = { kind: "suffix", value: ".example.com" };
const admin: ServerNamePattern = { kind: "exact", value: "admin.example.com" };

for (const [rule, route, name, expected] of [
  ["one of its names", { names: [admin, suffix], negate: false }, "a.example.com", true],
  ["none of its names", { names: [admin], negate: false }, "a.example.com", false],
  ["a name it leaves out", { names: [suffix], except: [admin], negate: false }, "admin.example.com", false],
  [
    "a name beside the one it leaves out",
    { names: [suffix], except: [admin], negate: false },
    "a.example.com",
    true,
  ],
  ["the reverse of its names", { names: [admin], negate: true }, "a.example.com", true],
  ["no name at all", { names: [suffix], negate: false }, undefined, false],
  ["no name at all, turned round", { names: [suffix], negate: true }, undefined, true],
] as const) {
  test(`a route and ${rule}`, () => assert.equal(matchesRoute(route, name), expected));
}

for (const [pattern, name, expected] of [
  [{ kind: "wildcard", value: "*.example.com" }, "a.example.com", true],
  [{ kind: "wildcard", value: "*.example.com" }, "a.b.example.com", false],
  [{ kind: "wildcard", value: "*.example.com" }, "example.com", false],
  [{ kind: "prefix", value: "api-" }, "api-1.example.com", true],
  [{ kind: "substring", value: ".b." }, "a.b.c", true],
  [{ kind: "regex", value: "^api[0-9]+\\." }, "api12.example.com", true],
  [{ kind: "any" }, "anything", true],
  [{ kind: "any" }, undefined, false],
] as const) {
  test(`${pattern.kind} ${"value" in pattern ? pattern.value : ""} against ${name}`, () =>
    assert.equal(matchesServerName(pattern, name), expected));
}

test("a name has no case and no trailing dot", () =>
  assert.equal(normalServerName("Api.Example.COM."), "api.example.com"));
