import assert from "node:assert/strict";
import { test } from "node:test";
import { redactHeader, redactTarget, redactText } from "./redact.ts";

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl";
const PEM_IN_BASE64 = "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=";

const TARGETS: readonly (readonly [rule: string, target: string, shown: string])[] = [
  ["a plain list stays", "/api/v1/pods?limit=500&continue=", "/api/v1/pods?limit=500&continue="],
  ["an exec stays", "/x/exec?command=sh&command=-c&tty=true", "/x/exec?command=sh&command=-c&tty=true"],
  [
    "a continue token is none (one part, no dots)",
    "/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0",
    "/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0",
  ],
  [
    "a selector stays",
    "/api/v1/secrets?fieldSelector=metadata.name%3Dmy-secret",
    "/api/v1/secrets?fieldSelector=metadata.name%3Dmy-secret",
  ],
  [
    "an encoded proxy path stays",
    "/api/v1/namespaces/x/services/https:foo:443/proxy/a%2Fb",
    "/api/v1/namespaces/x/services/https:foo:443/proxy/a%2Fb",
  ],
  ["access_token", "/api?access_token=hunter2", "/api?access_token=<redacted>"],
  ["in the middle", "/api?a=1&token=hunter2&b=2", "/api?a=1&token=<redacted>&b=2"],
  ["any case", "/api?Access-Token=hunter2", "/api?Access-Token=<redacted>"],
  ["camel case", "/api?refreshToken=hunter2", "/api?refreshToken=<redacted>"],
  ["an encoded name", "/api?%74ok%65n=hunter2", "/api?%74ok%65n=<redacted>"],
  ["a twice encoded name", "/api?%2574oken=hunter2", "/api?%2574oken=<redacted>"],
  ["password", "/api?user=me&password=hunter2", "/api?user=me&password=<redacted>"],
  ["OAuth code", "/cb?code=hunter2&state=x", "/cb?code=<redacted>&state=x"],
  ["client_secret", "/cb?client_secret=hunter2", "/cb?client_secret=<redacted>"],
  ["api key", "/x?api_key=hunter2&apiKey=hunter2", "/x?api_key=<redacted>&apiKey=<redacted>"],
  [
    "AWS presigned",
    "/x?X-Amz-Signature=hunter2&X-Amz-Security-Token=hunter2&X-Amz-Date=1",
    "/x?X-Amz-Signature=<redacted>&X-Amz-Security-Token=<redacted>&X-Amz-Date=1",
  ],
  ["behind a semicolon", "/x?a=1;token=hunter2", "/x?a=1;token=<redacted>"],
  ["a value with a semicolon goes whole", "/x?token=hun;ter2&b=1", "/x?token=<redacted>&b=1"],
  ["a value with a slash and a question mark", "/x?token=hun/te?r2", "/x?token=<redacted>"],
  ["behind a number sign", "/x#access_token=hunter2", "/x#access_token=<redacted>"],
  ["a path parameter", "/x;token=hunter2", "/x;token=<redacted>"],
  ["an encoded separator", "/x?a=b%26token%3Dhunter2", "/x?a=<redacted>"],
  ["a URL in a value", "/x?to=https%3A%2F%2Fu%3Ahunter2%40h%2F", "/x?to=<redacted>"],
  [
    "a header in a command",
    "/exec?command=curl&command=Authorization%3A+Bearer+hunter2",
    "/exec?command=curl&command=<redacted>",
  ],
  ["a flag in a command", "/exec?command=--password%3Dhunter2&tty=true", "/exec?command=<redacted>&tty=true"],
  ["a JWT under a plain name", `/x?q=${JWT}`, "/x?q=<redacted>"],
  ["a JWT in the path", `/x/${JWT}/y`, "/x/<redacted>/y"],
  ["a JWT with encoded dots", `/x/${JWT.replaceAll(".", "%2E")}/y`, "/x/<redacted>/y"],
  ["an EKS token in the path", "/x/k8s-aws-v1.aHR0cHM6Ly9zdHM/y", "/x/<redacted>/y"],
  [
    "a bearer subprotocol in a query",
    "/x?p=base64url.bearer.authorization.k8s.io.aHVudGVyMg",
    "/x?p=base64url.bearer.authorization.k8s.io.<redacted>",
  ],
  ["userinfo", "https://me:hunter2@host/api?x=1", "https://<redacted>@host/api?x=1"],
  ["userinfo with a slash", "https://me:hun/ter2@host/api", "https://<redacted>@host/api"],
  [
    "an @ in the path is no userinfo",
    "https://host:6443/apis/x/users/me@example.com",
    "https://host:6443/apis/x/users/me@example.com",
  ],
  ["userinfo behind two slashes", "//me:hunter2@host/api", "//<redacted>@host/api"],
  ["userinfo of CONNECT", "me:hunter2@host:443", "<redacted>@host:443"],
  ["a key in base64", `/x/${PEM_IN_BASE64}`, "/x/<redacted>="],
  ["a broken escape stays", "/x?q=%zz&token=hunter2", "/x?q=%zz&token=<redacted>"],
];

for (const [rule, target, shown] of TARGETS) {
  test(`target: ${rule}`, () => {
    assert.equal(redactTarget(target), shown);
    assert.equal(redactTarget(shown), shown, "redacting twice changes nothing");
  });
}

const HEADERS: readonly (readonly [name: string, value: string, shown: string])[] = [
  ["Authorization", "Bearer hunter2", "<redacted>"],
  ["proxy-authorization", "Basic aHVudGVyMg==", "<redacted>"],
  ["Cookie", "sid=hunter2", "<redacted>"],
  ["set-cookie", "sid=hunter2", "<redacted>"],
  ["X-Api-Key", "hunter2", "<redacted>"],
  ["X-Amz-Security-Token", "hunter2", "<redacted>"],
  ["X-Auth-Request", "hunter2", "<redacted>"],
  ["Accept", "application/json", "application/json"],
  ["Impersonate-User", "jane", "jane"],
  ["WWW-Authenticate", 'Basic realm="kubernetes"', 'Basic realm="kubernetes"'],
  ["User-Agent", `kubectl/v1.32.5 ${JWT}`, "kubectl/v1.32.5 <redacted>"],
  ["X-Note", "Bearer hunter2", "Bearer <redacted>"],
  ["X-Note", "basic abc1DEF2==", "basic <redacted>"],
  ["X-Note", "basic authentication", "basic authentication"],
  [":path", "/api?token=hunter2", "/api?token=<redacted>"],
  ["Referer", "https://me:hunter2@host/", "https://<redacted>@host/"],
  ["Host", "prod.k8s.example.com:6443", "prod.k8s.example.com:6443"],
  [
    "Sec-WebSocket-Protocol",
    "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.aHVudGVyMg",
    "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.<redacted>",
  ],
];

for (const [name, value, shown] of HEADERS) {
  test(`header: ${name}: ${value.slice(0, 40)}`, () => assert.equal(redactHeader(name, value), shown));
}

const TEXTS: readonly (readonly [rule: string, text: string, shown: string])[] = [
  [
    "prose stays",
    "the API server's certificate is not signed by CN=kubernetes",
    "the API server's certificate is not signed by CN=kubernetes",
  ],
  ["a kubeconfig's token", "user: token: hunter2 x", "user: token: <redacted> x"],
  ["a kubeconfig's key", `client-key-data: ${PEM_IN_BASE64}`, "client-key-data: <redacted>"],
  ["JSON", '{"password":"hunter2","user":"me"}', '{"password":<redacted>,"user":"me"}'],
  ["a private key", "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----", "<redacted>"],
  ["a Google token", "got ya29.a0AfB_byC-hunter2 now", "got <redacted> now"],
  ["an OpenShift token", "sha256~hunter2hunter2hunter2hunter2hunter2", "<redacted>"],
];

for (const [rule, text, shown] of TEXTS) {
  test(`text: ${rule}`, () => {
    assert.equal(redactText(text), shown);
    assert.equal(redactText(shown), shown, "redacting twice changes nothing");
  });
}

test("a long hostile target costs little", () => {
  const started = process.cpuUsage().user;
  for (const piece of [
    "eyJ",
    "token",
    "a.",
    "%25",
    "://",
    "&token=",
    "=",
    "-----BEGIN",
    "bearer ",
    "key-data",
  ]) {
    const target = `/${piece.repeat(Math.ceil(65_536 / piece.length))}`;
    redactTarget(target);
    redactText(target);
  }
  assert.ok(process.cpuUsage().user - started < 3_000_000, "quadratic");
});
