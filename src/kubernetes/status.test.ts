import assert from "node:assert/strict";
import { test } from "node:test";
import { failureStatus, isDiscoveryRoot } from "./status.ts";

test("a Failure is the API server's own 403, field for field and in its order", () => {
  // kube-apiserver for an anonymous GET / (it indents for curl; the fields are the same).
  const real =
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: User \\"system:anonymous\\" cannot get path \\"/\\"","reason":"Forbidden","details":{},"code":403}\n';
  const message = 'forbidden: User "system:anonymous" cannot get path "/"';
  assert.equal(failureStatus({ code: 403, reason: "Forbidden", message }), real);
});

test("a code without a word of Kubernetes' leaves reason out", () => {
  const status: unknown = JSON.parse(failureStatus({ code: 421, message: "connect again" }));
  assert.deepEqual(status, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "connect again",
    details: {},
    code: 421,
  });
});

test("a message cannot break out of its JSON", () => {
  const message = '"},"code":200,\n\u0000<redacted>';
  const status: unknown = JSON.parse(failureStatus({ code: 400, message }));
  assert.equal(
    status !== null && typeof status === "object" && "message" in status && status.message,
    message,
  );
});

const ROOTS: readonly (readonly [target: string, root: boolean])[] = [
  ["/api", true],
  ["/apis", true],
  ["/api?timeout=32s", true],
  ["/apis/?timeout=32s", true],
  ["/api/v1", false],
  ["/apis/apps/v1", false],
  ["/apix", false],
  ["/", false],
];
for (const [target, root] of ROOTS) {
  test(`${target} is ${root ? "" : "not "}a root of discovery`, () =>
    assert.equal(isDiscoveryRoot(target), root));
}
