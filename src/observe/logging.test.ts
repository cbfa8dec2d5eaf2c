import assert from "node:assert/strict";
import { test } from "node:test";
import type { GateEvent } from "../events/index.ts";
import type { Configuration, FrontendLog } from "../model/index.ts";
import { createLogging, NOTE_AGAIN_MS } from "./logging.ts";
import {
  KeptStream,
  STDERR,
  STDOUT,
  testConfiguration,
  testFrontend,
  testHandshake,
  testLane,
  testLaneEnded,
  testRequest,
  testServerDown,
} from "./testing.ts";

process.env.TZ = "UTC";

interface Logged {
  readonly stdout: KeptStream;
  readonly stderr: KeptStream;
  readonly problems: readonly string[];
}

async function log(
  configuration: Configuration,
  events: readonly GateEvent[],
  clock?: () => number,
): Promise<Logged> {
  const stdout = new KeptStream();
  const stderr = new KeptStream();
  const problems: string[] = [];
  const logging = createLogging({
    configuration,
    pid: 4711,
    stdout,
    stderr,
    onProblem: (sentence) => problems.push(sentence),
    wallClock: clock ?? (() => 1_795_568_613_936),
  });
  for (const event of events) logging.tell(event);
  await logging.close();
  return { stdout, stderr, problems };
}

async function linesOf(format: FrontendLog["format"], ...events: GateEvent[]): Promise<string[]> {
  return (await log(testConfiguration([testFrontend("fe", { format })]), events)).stdout.lines;
}

const HEAD = "127.0.0.1:41028 [25/Nov/2026:01:03:33.936]";

test("a fault of the gate's own is told in one line, its stack only on stderr and once", async () => {
  const stack = "RangeError: out\n    at a (token=hidden)";
  const fault = { kind: "notice", level: "alert", text: "a fault", stack } as const;
  const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", {})]), [fault, fault]);
  assert.deepEqual(stdout.lines, ["a fault", "a fault"]);
  const where = ["postern: RangeError: out", "postern:     at a (token=<redacted>"];
  assert.deepEqual(stderr.lines, ["postern: a fault", ...where, "postern: a fault"]);
});

test("httplog: an answered request, as HAProxy prints it", async () => {
  assert.deepEqual(await linesOf("httplog", testRequest()), [
    `${HEAD} fe b/s 0/0/0/11/11 200 106 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`,
  ]);
});

test("httplog: HTTP/2 over TLS has the mark of TLS and an absolute URI", async () => {
  const request = testRequest({
    lane: testLane({ tls: true }),
    version: "HTTP/2.0",
    authority: "k8s:6443",
    target: "/api",
  });
  assert.deepEqual(await linesOf("httplog", request), [
    `${HEAD} fe~ b/s 0/0/0/11/11 200 106 - - ---- 1/1/0/0/0 0/0 "GET https://k8s:6443/api HTTP/2.0"`,
  ]);
});

test("httplog: a request the gate refused reached no server, although the lane has one", async () => {
  const request = testRequest({
    status: 403,
    termination: "PR--",
    reason: "denied",
    responseMs: -1,
    totalMs: 0,
  });
  assert.deepEqual(await linesOf("httplog", request), [
    `${HEAD} fe b/<NOSRV> 0/-1/-1/-1/0 403 106 - - PR-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`,
  ]);
});

test("httplog: a server that could not be connected to was chosen all the same", async () => {
  const lane = testLane({ queueMs: -1, connectMs: -1, retries: 3 });
  const failed = testRequest({
    lane,
    status: 503,
    termination: "SC--",
    reason: "dial_refused",
    responseMs: -1,
    totalMs: 0,
  });
  const refused = testRequest({
    lane: testLane({ retries: 3 }),
    status: 403,
    termination: "PR--",
    responseMs: -1,
    totalMs: 0,
  });
  assert.deepEqual(await linesOf("httplog", failed, refused), [
    `${HEAD} fe b/s 0/0/-1/-1/0 503 106 - - SC-- 1/1/0/0/3 0/0 "GET / HTTP/1.1"`,
    `${HEAD} fe b/<NOSRV> 0/-1/-1/-1/0 403 106 - - PR-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`,
  ]);
});

test("httplog: a head that could not be read is <BADREQ> and belongs to no backend", async () => {
  const request = testRequest({
    method: undefined,
    target: undefined,
    status: 400,
    termination: "PR--",
    reason: "bad_request",
    headMs: -1,
    responseMs: -1,
    totalMs: 0,
  });
  assert.deepEqual(await linesOf("httplog", request), [
    `${HEAD} fe fe/<NOSRV> -1/-1/-1/-1/0 400 106 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"`,
  ]);
});

test("httplog: connecting and its retries belong to the first request of a lane", async () => {
  const lane = testLane({ connectMs: 7, retries: 1 });
  const logging = await linesOf("httplog", testRequest({ lane }), testRequest({ lane }));
  assert.match(logging[0] ?? "", / 0\/0\/7\/11\/11 .* 1\/1\/0\/0\/1 /);
  assert.match(logging[1] ?? "", / 0\/0\/0\/11\/11 .* 1\/1\/0\/0\/0 /);
});

test("httplog: an http lane without a request is a request that could not be read", async () => {
  const lane = testLane({ acceptedAtMs: 1_795_568_613_936 });
  const ended = testLaneEnded({
    lane,
    termination: "cR",
    reason: "head_too_slow",
    totalMs: 1002,
    bytesToClient: 0,
  });
  assert.deepEqual(await linesOf("httplog", ended), [
    `${HEAD} fe fe/<NOSRV> -1/-1/-1/-1/1002 408 0 - - cR-- 1/1/0/0/0 0/0 "<BADREQ>"`,
  ]);
});

test("tcplog: a lane, as HAProxy prints it", async () => {
  const lane = testLane({ frontendMode: "tcp", connectMs: 0, queueMs: 1, acceptedAtMs: 1_795_568_613_936 });
  assert.deepEqual(await linesOf("tcplog", testLaneEnded({ lane })), [
    `${HEAD} fe b/s 1/0/5 127 -- 1/1/0/0/0 0/0`,
  ]);
});

test("a lane passed through untouched in an http frontend gets a tcplog line", async () => {
  const lane = testLane({ serverName: "site.example.com", acceptedAtMs: 1_795_568_613_936 });
  assert.deepEqual(await linesOf("httplog", testLaneEnded({ lane })), [
    `${HEAD} fe b/s 0/0/5 127 -- 1/1/0/0/0 0/0`,
  ]);
});

test("default: who connected to what, the bind's address where the lane's is unknown", async () => {
  const local = testLane({ localAddress: "10.0.0.1", localPort: 443 });
  assert.deepEqual(
    await linesOf("default", testRequest(), testRequest({ lane: local }), testRequest({ method: undefined })),
    [
      "Connect from 127.0.0.1:41028 to 127.0.0.1:6443 (fe/HTTP)",
      "Connect from 127.0.0.1:41028 to 10.0.0.1:443 (fe/HTTP)",
    ],
  );
});

test("a failed handshake: HAProxy's sentence, and what is known in brackets", async () => {
  assert.deepEqual(
    await linesOf(
      "httplog",
      testHandshake(),
      testHandshake({ bind: "foo", detail: "tlsv1 alert unknown ca" }),
      testHandshake({ reason: "handshake_timeout" }),
    ),
    [
      `${HEAD} fe/1: SSL handshake failure`,
      `${HEAD} fe/foo: SSL handshake failure (tlsv1 alert unknown ca)`,
      `${HEAD} fe/1: Timeout during SSL handshake`,
    ],
  );
});

test("dontlognull leaves out who sent nothing, and nobody else", async () => {
  const events = [
    testHandshake({ silent: true }),
    testLaneEnded({ bytesFromClient: 0 }),
    testLaneEnded({ lane: testLane(), bytesFromClient: 0, termination: "CR" }),
    testRequest({ method: undefined, bytesFromClient: 0, termination: "cR--" }),
  ];
  const other = [testHandshake({ silent: false }), testLaneEnded({ bytesFromClient: 1 })];
  const quiet = testConfiguration([testFrontend("fe", { dontLogNull: true })]);
  assert.equal((await log(quiet, events)).stdout.text, "");
  assert.equal((await log(quiet, other)).stdout.lines.length, 2);
  assert.equal((await log(testConfiguration([testFrontend("fe", {})]), events)).stdout.lines.length, 4);
});

test("a server that goes down: HAProxy's lines in the log, a sentence on stderr", async () => {
  const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", {})]), [testServerDown()]);
  assert.deepEqual(stdout.lines, [
    'Server b/s is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left.',
    "backend b has no server available!",
  ]);
  assert.deepEqual(stderr.lines, [
    "postern: server b/s is down: Connection refused",
    "postern: backend b has no server left: requests for it are answered with 503 until one is up",
  ]);
});

test("a server that comes up", async () => {
  const up = testServerDown({ up: true, reason: "check_passed", detail: "", activeLeft: 1, checkMs: 3 });
  const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", {})]), [up]);
  assert.deepEqual(stdout.lines, [
    "Server b/s is UP, reason: Layer4 check passed, check duration: 3ms. 1 active and 0 backup servers online.",
  ]);
  assert.match(stderr.text, /^postern: server b\/s is up/);
});

test("a line that goes to stderr as a target is not said there twice", async () => {
  const { stderr } = await log(testConfiguration([testFrontend("fe", { targets: [STDERR] })]), [
    testServerDown({ activeLeft: 1 }),
  ]);
  assert.equal(stderr.lines.length, 1);
  assert.match(stderr.text, /^Server b\/s is DOWN/);
  const quiet = { ...STDERR, level: "emerg" } as const;
  const filtered = await log(testConfiguration([testFrontend("fe", { targets: [quiet] })]), [
    testServerDown({ activeLeft: 1 }),
  ]);
  assert.deepEqual(filtered.stderr.lines, ["postern: server b/s is down: Connection refused"]);
});

test("a server's line goes once to each place of the frontends that use it", async () => {
  const other = { ...testFrontend("other", { targets: [STDERR] }), defaultBackend: "c" };
  const frontends = [testFrontend("fe", {}), testFrontend("fe2", {}), other];
  const { stdout, stderr } = await log(testConfiguration(frontends, ["b", "c"]), [
    testServerDown({ activeLeft: 1 }),
  ]);
  assert.equal(stdout.lines.length, 1);
  assert.deepEqual(stderr.lines, ["postern: server b/s is down: Connection refused"]);
});

test("a note about a server is not repeated for every client", async () => {
  let nowMs = 0;
  const note: GateEvent = {
    kind: "server-note",
    backend: "b",
    server: "s",
    reason: "check_forbidden",
    detail: "401 on /readyz",
  };
  const stdout = new KeptStream();
  const logging = createLogging({
    configuration: testConfiguration([testFrontend("fe", {})]),
    pid: 1,
    stdout,
    stderr: new KeptStream(),
    onProblem: assert.fail,
    wallClock: () => nowMs,
  });
  for (let round = 0; round < 100; round++) logging.tell(note);
  logging.tell({ ...note, server: "t" });
  nowMs = NOTE_AGAIN_MS;
  logging.tell(note);
  await logging.close();
  assert.deepEqual(stdout.lines, [
    "Server b/s: 401 on /readyz",
    "Server b/t: 401 on /readyz",
    "Server b/s: 401 on /readyz",
  ]);
});

test("a notice goes to every place and to stderr", async () => {
  const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", {})]), [
    { kind: "notice", level: "notice", text: "listening on :6443" },
  ]);
  assert.deepEqual(stdout.lines, ["listening on :6443"]);
  assert.deepEqual(stderr.lines, ["postern: listening on :6443"]);
});

test("stdout in the syslog framing carries priority, date, tag and pid", async () => {
  const target = { ...STDOUT, framing: "syslog", facility: "daemon" } as const;
  const { stdout } = await log(testConfiguration([testFrontend("fe", { targets: [target] })]), [
    testRequest(),
    testServerDown(),
  ]);
  assert.deepEqual(
    stdout.lines.map((line) => line.slice(0, 37)),
    [
      "<30>Nov 25 01:03:33 haproxy[4711]: 12",
      "<25>Nov 25 01:03:33 haproxy[4711]: Se",
      "<24>Nov 25 01:03:33 haproxy[4711]: ba",
    ],
  );
});

test("a target takes what is at least as grave as its level, and nobody works for one that takes nothing", async () => {
  const configuration = testConfiguration([testFrontend("fe", { targets: [{ ...STDOUT, level: "alert" }] })]);
  const untouchable: GateEvent = {
    ...testRequest(),
    get target(): string {
      throw new Error("the request was formatted");
    },
  };
  const { stdout } = await log(configuration, [untouchable, testServerDown({ activeLeft: 1 })]);
  assert.equal(stdout.lines.length, 1);
});

test("a frontend without a log, or unknown, costs nothing", async () => {
  const configuration = testConfiguration([testFrontend("fe", { targets: [] })]);
  const { stdout, stderr } = await log(configuration, [
    testRequest(),
    testRequest({ lane: testLane({ frontend: "gone" }) }),
    testLaneEnded({ lane: testLane({ frontend: "gone" }) }),
  ]);
  assert.equal(stdout.text + stderr.text, "");
});

test("json: one object a line, numbers as numbers, Kubernetes' own words, unknown things left out", async () => {
  const request = testRequest({
    lane: testLane({ tls: true, tlsVersion: "TLSv1.3", alpn: "h2", serverName: "k8s", backend: "prod-eu" }),
    target: "/apis/apps/v1/namespaces/x/deployments/web/scale?token=hunter2",
    version: "HTTP/2.0",
    authority: "k8s:6443",
    headMs: 0.4,
  });
  const [line = ""] = await linesOf("json", request);
  assert.deepEqual(JSON.parse(line), {
    time: "2026-11-25T01:03:33.936Z",
    event: "request",
    client: "127.0.0.1",
    clientPort: 41028,
    lane: 1,
    tls: true,
    tlsVersion: "TLSv1.3",
    alpn: "h2",
    serverName: "k8s",
    frontend: "fe",
    cluster: "prod-eu",
    backend: "prod-eu",
    server: "s",
    protocol: "HTTP/2.0",
    method: "GET",
    authority: "k8s:6443",
    path: "/apis/apps/v1/namespaces/x/deployments/web/scale?token=<redacted>",
    verb: "get",
    apiGroup: "apps",
    apiVersion: "v1",
    resource: "deployments",
    subresource: "scale",
    namespace: "x",
    name: "web",
    status: 200,
    bytesToClient: 106,
    bytesFromClient: 80,
    headMs: 0,
    queueMs: 0,
    connectMs: 0,
    responseMs: 11,
    totalMs: 11,
    retries: 0,
    upgraded: false,
    termination: "----",
    userAgent: "curl/7.88.1",
  });
});

test("json: refusals carry their reason, and every kind of event parses", async () => {
  const lines = await linesOf(
    "json",
    testRequest({ status: 421, termination: "PR--", reason: "wrong_authority", responseMs: -1 }),
    testRequest({ method: undefined, target: undefined, status: -1 }),
    testLaneEnded(),
    testHandshake({ serverName: "x", detail: "alert" }),
    testServerDown(),
    { kind: "server-note", backend: "b", server: "s", reason: "check_forbidden", detail: "401" },
    { kind: "notice", level: "warning", text: "reloaded" },
  );
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line));
  assert.match(lines[0] ?? "", /"status":421.*"reason":"wrong_authority","sentence":"this connection/);
  assert.doesNotMatch(lines[0] ?? "", /"server":|"connectMs":|"responseMs":/);
  assert.doesNotMatch(lines[1] ?? "", /"status":|"method":|"verb":/);
  assert.equal(lines.length, 8);
});

const FORGERY = '/x" 200 0\r\n<134>Nov 25 01:03:33 haproxy[1]: forged \u001b[2J\u007f\u009b#\u2028é€';

test("a client cannot end a line, a field or drive a terminal", async () => {
  for (const format of ["httplog", "tcplog", "default", "json"] as const) {
    const events: GateEvent[] = [
      testRequest({ target: FORGERY, userAgent: FORGERY, authority: FORGERY, method: FORGERY }),
      testHandshake({ detail: FORGERY, serverName: FORGERY }),
      testServerDown({ detail: FORGERY, activeLeft: 1 }),
      { kind: "server-note", backend: "b", server: "s", reason: "check_status", detail: FORGERY },
      { kind: "notice", level: "notice", text: FORGERY },
      { kind: "head", lane: testLane(), lines: [`GET ${FORGERY} HTTP/1.1`, `x-note: ${FORGERY}`] },
    ];
    const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", { format })]), events);
    assert.equal(stdout.lines.length, 5, format);
    assert.equal(stderr.lines.length, 5, format);
    assert.doesNotMatch(stdout.text + stderr.text, /[^\n -~é€]/, format);
  }
  const [line = ""] = await linesOf("httplog", testRequest({ target: '/a"b{d|e}<f>\\^`?"#\u0080€' }));
  assert.ok(line.endsWith('"GET /a#22b{d|e}<f>\\^`?#22#23#80#E2#82#AC HTTP/1.1"'), line);
});

test("a long request line is cut as HAProxy cuts it", async () => {
  const [line = ""] = await linesOf("httplog", testRequest({ target: `/${"a".repeat(60_000)}` }));
  assert.equal(/"(.*)"$/.exec(line)?.[1]?.length, 1023);
});

test("debug dumps a head to stderr, lane and frontend first", async () => {
  const { stdout, stderr } = await log(testConfiguration([testFrontend("fe", {})]), [
    { kind: "head", lane: testLane({ laneId: 26 }), lines: ["GET / HTTP/1.1", "host: x"] },
  ]);
  assert.equal(stdout.text, "");
  assert.deepEqual(stderr.lines, ["0000001a:fe.GET / HTTP/1.1", "0000001a:fe.host: x"]);
});

test("trouble of a log is told on stderr, unless somebody else wants to hear it", async () => {
  const stderr = new KeptStream();
  const full = Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" });
  const logging = createLogging({
    configuration: testConfiguration([testFrontend("fe", {})]),
    pid: 1,
    stdout: { write: (_, done) => process.nextTick(done, full), on: () => {} },
    stderr,
  });
  for (let round = 0; round < 3; round++) {
    logging.tell(testRequest());
    await logging.flush();
  }
  await logging.close();
  assert.deepEqual(stderr.lines, [
    "postern: the log cannot be written to stdout (ENOSPC): its lines are lost until it can",
  ]);
});
