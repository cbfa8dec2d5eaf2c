import assert from "node:assert/strict";
import { test } from "node:test";
import { refusePathTricks } from "./path.ts";
import { testAsk } from "./testing.ts";

const PASSES: readonly string[] = [
  "/",
  "/api",
  "/api/",
  "/api/v1/namespaces/x/pods?limit=500&continue=a%2Fb",
  "/api/v1/namespaces/x/pods/web/exec?command=sh&command=-c&command=ls%20//x/../y%5C",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
  "/apis/x/users/me@example.com",
  "/.well-known/openid-configuration",
  "/openapi/v3/apis/apps/v1?hash=A%2B",
  "/a...b/..c/...",
  "*",
  "https://host:6443/api/v1/pods",
  // Somebody else's application, behind the API server's proxy.
  "/api/v1/namespaces/x/services/https:foo:443/proxy/a%2Fb//c",
  "/api/v1/namespaces/x/services/https:foo:443/proxy//",
  "/api/v1/namespaces/x/pods/web/proxy/%5Cx%0A",
  "/api/v1/nodes/n1/proxy/logs//x",
  "/apis/g/v1/namespaces/x/things/y/proxy/a%2Fb",
  "https://host:6443/api/v1/nodes/n1/proxy//x",
];

for (const target of PASSES) {
  test(`passes ${target}`, () => assert.equal(refusePathTricks(testAsk({ target })).kind, "pass"));
}

const REFUSED: readonly (readonly [target: string, fault: RegExp])[] = [
  ["//api/v1/secrets", /contains \/\//],
  ["/api/v1//namespaces/x/secrets", /contains \/\//],
  ["/api/v1/namespaces/x/pods//", /contains \/\//],
  ["https://host//api", /contains \/\//],
  ["/api/v1/namespaces/x/pods/../secrets", /dot segment/],
  ["/api/v1/./pods", /dot segment/],
  ["/..", /dot segment/],
  ["/api/%2e%2E/x", /dot segment/],
  ["/api/.%2e", /dot segment/],
  ["/api/v1/namespaces/x%2Fsecrets", /%2F/],
  ["/api%2fv1/pods", /%2f/],
  ["/api/v1/pods%5cx", /%5c/],
  ["/api/v1/pods\\x", /backslash/],
  ["/api/v1/pods%00", /%00/],
  ["/api/v1/pods%0a", /%0a/],
  ["/api/v1/pods%7F", /%7F/],
  ["/api/v1/pods%zz", /encodes nothing/],
  ["/api/v1/pods%2", /encodes nothing/],
  ["/api/v1/pods?a=\n", /control character/],
  ["/api/v1/p ods", /a space/],
  ["/api/v1/pöds", /beyond ASCII/],
  ["/api/v1/pods#x", /#/],
  // Behind the proxy: what a hop would resolve, and what is no URI.
  ["/api/v1/namespaces/x/pods/web/proxy/../exec", /dot segment/],
  ["/api/v1/namespaces/x/pods/web/proxy/a%2F..%2F..%2Fexec", /dot segment/],
  ["/api/v1/namespaces/x/pods/web/proxy/%2e%2e/exec", /dot segment/],
  ["/api/v1/namespaces/x/pods/web/proxy/%5c..%5cexec", /dot segment/],
  ["/api/v1/namespaces/x/pods/web/proxy/a\\b", /backslash/],
  // Not behind it, though it looks so.
  ["/api/v1/namespaces/x/pods/web%2Fproxy/a", /%2F/],
  ["/api/v1/namespaces/x/pods/web/proxy%2Fa", /%2F/],
  ["/api/v1/namespaces/x/pods//proxy/a", /contains \/\//],
  ["/api/v1/namespaces/x/proxy/a%2Fb", /%2F/],
  ["/api/v1/namespaces/x/configmaps/proxy//a", /contains \/\//],
  ["/api/v1/proxy/namespaces/x/pods/web/a%2Fb", /%2F/],
  ["/api/v1/watch/pods/proxy/a%2Fb", /%2F/],
  ["/proxy/a%2Fb", /%2F/],
];

for (const [target, fault] of REFUSED) {
  test(`refuses ${JSON.stringify(target)}`, () => {
    const verdict = refusePathTricks(testAsk({ target }));
    assert.equal(verdict.kind, "refuse");
    assert.ok(verdict.kind === "refuse");
    assert.equal(verdict.reason, "bad_request");
    assert.match(verdict.message ?? "", /^the gate refuses the request's path: it contains/);
    assert.match(verdict.message ?? "", fault);
  });
}
