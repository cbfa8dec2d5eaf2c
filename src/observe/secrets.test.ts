import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import type { GateEvent } from "../events/index.ts";
import type { FrontendLog, LogLevel, LogTarget } from "../model/index.ts";
import { createLogging } from "./logging.ts";
import {
  KeptStream,
  testConfiguration,
  testFrontend,
  testHandshake,
  testLane,
  testLaneEnded,
  testRequest,
  testServerDown,
} from "./testing.ts";

/** None of these may be seen in any output; each begins a secret in one of the shapes a client of Kubernetes sends. */
const MARKS = ["hunter2", "aHVudGVyMg", "c2lnbmF0dXJl", "U0VDUkVUS0VZ"] as const;

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl";
const TEXTS: readonly string[] = [
  "Bearer hunter2",
  "bearer  aHVudGVyMg.hunter2",
  "Authorization: Basic aHVudGVyMg==",
  JWT,
  `prefix ${JWT} suffix`,
  "k8s-aws-v1.aHVudGVyMg",
  "base64url.bearer.authorization.k8s.io.aHVudGVyMg",
  "token: hunter2",
  "password=hunter2",
  '"client-key-data":"U0VDUkVUS0VZ"',
  "client-key-data: LS0tLS1CRUdJTiBSU0EgU0VDUkVUS0VZ",
  "-----BEGIN PRIVATE KEY----- U0VDUkVUS0VZ -----END PRIVATE KEY-----",
  "https://me:hunter2@host/",
  "sha256~hunter2hunter2hunter2hunter2",
  "ya29.hunter2_hunter2",
];

const NAMES: readonly string[] = [
  "token",
  "access_token",
  "id_token",
  "refresh_token",
  "Authorization",
  "PASSWORD",
  "secret",
  "client_secret",
  "api_key",
  "jwt",
  "bearer",
  "code",
  "X-Amz-Signature",
  "X-Amz-Security-Token",
  "t%6Fken",
  "%2574oken",
  "sig",
];

const TARGETS: readonly string[] = [
  ...NAMES.map((name) => `/api/v1/pods?limit=1&${name}=hunter2&watch=1`),
  ...NAMES.map((name) => `/callback#${name}=hunter2`),
  ...TEXTS.map((text) => `/api/v1/namespaces/x/pods/web/exec?command=${encodeURIComponent(text)}`),
  ...TEXTS.map((text) => `/api/v1/namespaces/x/pods/${encodeURIComponent(text)}/log`),
  ...TEXTS.map((text) => `/api/v1/namespaces/${encodeURIComponent(encodeURIComponent(text))}/pods`),
  `/api/v1/namespaces/x/pods/${JWT}`,
  "/api/v1/namespaces/x/pods/k8s-aws-v1.aHVudGVyMg/exec",
  "https://me:hunter2@host/api",
];

const HEADERS: readonly string[] = [
  "Authorization: Bearer hunter2",
  "authorization:Basic aHVudGVyMg==",
  "Proxy-Authorization: Basic aHVudGVyMg==",
  "Cookie: a=b; sid=hunter2",
  "Set-Cookie: sid=hunter2",
  "X-Api-Key: hunter2",
  "X-Auth-Token: hunter2",
  "X-Amz-Security-Token: hunter2",
  "Sec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.aHVudGVyMg",
  ":path: /api?token=hunter2",
  "Referer: https://me:hunter2@host/?token=hunter2",
  ...TEXTS.map((text) => `X-Note: ${text}`),
];

const EVENTS: readonly GateEvent[] = [
  ...TARGETS.flatMap((target): GateEvent[] => [
    testRequest({ target }),
    testRequest({
      target,
      version: "HTTP/2.0",
      authority: "me:hunter2@host:6443",
      lane: testLane({ tls: true }),
    }),
    testRequest({ target, status: 403, termination: "PR--", reason: "denied" }),
    { kind: "head", lane: testLane(), lines: [`GET ${target} HTTP/1.1`] },
  ]),
  ...TEXTS.flatMap((text): GateEvent[] => [
    testRequest({ userAgent: text }),
    testRequest({ authority: text, version: "HTTP/2.0" }),
    testRequest({ lane: testLane({ serverName: text, tls: true }) }),
    testLaneEnded({ lane: testLane({ serverName: text }) }),
    testHandshake({ serverName: text, detail: text }),
    testServerDown({ detail: text }),
    { kind: "server-note", backend: "b", server: "s", reason: "check_status", detail: text },
    { kind: "notice", level: "alert", text },
  ]),
  { kind: "head", lane: testLane(), lines: ["GET / HTTP/1.1", ...HEADERS] },
];

const FORMATS: readonly FrontendLog["format"][] = ["httplog", "tcplog", "default", "json"];
const LEVELS: readonly LogLevel[] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

for (const format of FORMATS) {
  test(`no secret reaches any output: ${format}, every level, stdout, stderr and syslog`, async () => {
    const syslog = createSocket("udp4");
    await new Promise<void>((resolve) => syslog.bind(0, "127.0.0.1", resolve));
    let received = "";
    let datagrams = 0;
    syslog.on("message", (message) => {
      datagrams += 1;
      received += message.toString("latin1");
    });
    let written = "";
    for (const level of LEVELS) {
      const targets: readonly LogTarget[] = [
        { kind: "stdout", framing: "raw", facility: "local0", level },
        { kind: "stderr", framing: "syslog", facility: "local0", level },
        {
          kind: "udp",
          host: "127.0.0.1",
          port: syslog.address().port,
          facility: "local0",
          level,
          lengthMax: 65_000,
        },
      ];
      const stdout = new KeptStream();
      const stderr = new KeptStream();
      const logging = createLogging({
        configuration: testConfiguration([testFrontend("fe", { format, targets })]),
        pid: 1,
        stdout,
        stderr,
        onProblem: () => {},
      });
      for (const event of EVENTS) {
        logging.tell(event);
        await logging.flush();
      }
      await logging.close();
      written += stdout.text + stderr.text;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    syslog.close();
    assert.ok(written.length > 100_000, "much was written");
    assert.ok(datagrams > 100, "much was sent");
    for (const mark of MARKS) {
      for (const line of (written + received).split("\n")) assert.ok(!line.includes(mark), line);
    }
  });
}
