import assert from "node:assert/strict";
import { test } from "node:test";
import { isRemovedHeader } from "./headers.ts";

const NAMES: readonly (readonly [name: string, removed: boolean])[] = [
  ["x-remote-user", true],
  ["x-remote-group", true],
  ["x-remote-uid", true],
  ["x-remote-extra-scopes.example.com", true],
  ["x-forwarded-for", true],
  ["x-forwarded-host", true],
  ["x-forwarded-client-cert", true],
  ["x-real-ip", true],
  ["forwarded", true],
  ["authorization", false],
  ["impersonate-user", false],
  ["x-stream-protocol-version", false],
  ["x-remote", false],
  ["from", false],
  ["", false],
];

for (const [name, removed] of NAMES) {
  test(`${name || "(empty)"} is ${removed ? "removed" : "kept"}`, () =>
    assert.equal(isRemovedHeader(name), removed));
}
