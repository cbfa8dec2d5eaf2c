import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { bundlePem, issueServerCertificate } from "../src/pki/index.ts";
import { makeCa, type TestCa } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type RunningGate, runGate } from "./support/gate.ts";
import { startHaproxy } from "./support/haproxy.ts";
import { ANY_LINE, type Fields, fieldsOf } from "./support/log-line.ts";
import { freePort, type Running } from "./support/process.ts";
import { exchange, type RawExchange, statuses } from "./support/raw-tls.ts";
import { type ScriptedApi, startScriptedApi } from "./support/scripted-api.ts";
import { type Syslog, startSyslog } from "./support/syslog.ts";

// One file, through HAProxy 2.6 and through Postern: the same bytes to both, then the same routes, the same status codes
// and the same log lines, field by field. What differs on purpose stands with its reason in the case where it shows.

const FIRST = "kube-apiserver.example.com";
const SECOND = "second.example.com";
const WRONG = "wrong-ca.example.com";

/** A listener of the file: the recipe's, and such as need other timeouts or servers. */
const ENTRANCES = ["all", "strict", "hasty", "refused", "down", "pass", "closed"] as const;
type Entrance = (typeof ENTRANCES)[number];
type Ports = Readonly<Record<Entrance, number>>;

interface Side {
  readonly ports: Ports;
  readonly syslog: Syslog;
  stop(): Promise<unknown>;
}

let folder: Folder;
let ca: TestCa;
let other: TestCa;
let first: ScriptedApi;
let second: ScriptedApi;
let deadPort: number;
let haproxy: Side;
let postern: Side;

before(async () => {
  folder = await temporaryFolder();
  ca = await makeCa(folder, "kubernetes");
  other = await makeCa(folder, "another house");
  await folder.write(
    "haproxy.pem",
    bundlePem(await issueServerCertificate(ca, { hosts: [FIRST, SECOND, WRONG, "127.0.0.1"] })),
  );
  const upstream = await issueServerCertificate(ca, { hosts: ["apiserver", FIRST, SECOND] });
  first = await startScriptedApi("first", upstream);
  second = await startScriptedApi("second", upstream);
  deadPort = await freePort();
  haproxy = await startTheirs();
  postern = await startOurs();
});
after(async () => {
  await haproxy?.stop();
  await postern?.stop();
  first?.close();
  second?.close();
  await folder?.remove();
});

async function startTheirs(): Promise<Side> {
  const syslog = await startSyslog();
  const ports = await freePorts();
  const running: Running = await startHaproxy(
    folder.file("theirs.cfg"),
    configuration(ports, syslog.port),
    ports.all,
  );
  return side(ports, syslog, running);
}

async function startOurs(): Promise<Side> {
  const syslog = await startSyslog();
  const ports = await freePorts();
  const running: RunningGate = await runGate(folder, () => configuration(ports, syslog.port));
  return side(ports, syslog, running);
}

async function side(ports: Ports, syslog: Syslog, running: Running): Promise<Side> {
  const stop = async () => {
    await running.stop();
    syslog.close();
  };
  // Both have found out what is down before a case begins.
  await syslog.until(/Server backend_down\/\S+ is DOWN/);
  return { ports, syslog, stop };
}

async function freePorts(): Promise<Ports> {
  const ports = await Promise.all(ENTRANCES.map(() => freePort()));
  return Object.fromEntries(ENTRANCES.map((entrance, index) => [entrance, ports[index]])) as Ports;
}

/** The recipe's file at its third step, without `debug`, ALPN pinned; then the entrances for what takes time. */
function configuration(ports: Ports, syslogPort: number): string {
  const tls = `ssl crt ${folder.file("haproxy.pem")} alpn http/1.1`;
  return `global
    log 127.0.0.1:${syslogPort} local0
    tune.ssl.default-dh-param 2048

defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
    timeout tunnel 86400s

frontend frontend_all
    bind 127.0.0.1:${ports.all} ${tls}
    mode http
    use_backend backend_second if { ssl_fc_sni ${SECOND} }
    use_backend backend_wrong_ca if { ssl_fc_sni ${WRONG} }
    default_backend backend_kube_apiserver

frontend frontend_strict
    bind 127.0.0.1:${ports.strict} ${tls} strict-sni
    use_backend backend_second if { ssl_fc_sni ${SECOND} }

frontend frontend_hasty
    bind 127.0.0.1:${ports.hasty} ${tls}
    timeout http-request 300ms
    default_backend backend_hasty

frontend frontend_refused
    bind 127.0.0.1:${ports.refused} ${tls}
    default_backend backend_refused

frontend frontend_down
    bind 127.0.0.1:${ports.down} ${tls}
    default_backend backend_down

frontend frontend_pass
    mode tcp
    option tcplog
    bind 127.0.0.1:${ports.pass}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend pass_second if { req.ssl_sni -i ${SECOND} }
    default_backend pass_first

frontend frontend_closed
    mode tcp
    option tcplog
    bind 127.0.0.1:${ports.closed}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend pass_second if { req.ssl_sni -i ${SECOND} }

backend backend_kube_apiserver
    mode http
    balance leastconn
    server kube-apiserver 127.0.0.1:${first.port} check ssl verify none

backend backend_second
    mode http
    server second 127.0.0.1:${second.port} check ssl verify required ca-file ${ca.file}

backend backend_wrong_ca
    retries 0
    server stranger 127.0.0.1:${second.port} ssl verify required ca-file ${other.file}

backend backend_hasty
    timeout server 300ms
    server kube-apiserver 127.0.0.1:${first.port} ssl verify none

backend backend_refused
    retries 1
    server gone 127.0.0.1:${deadPort} ssl verify none

backend backend_down
    server gone 127.0.0.1:${deadPort} check inter 200ms ssl verify none

backend pass_first
    mode tcp
    server first 127.0.0.1:${first.port}

backend pass_second
    mode tcp
    server second 127.0.0.1:${second.port}
`;
}

interface BesideCase extends Omit<RawExchange, "port"> {
  readonly rule: string;
  readonly at: Entrance;
  /** Lines that come of it; default 1. */
  readonly lines?: number;
  /** Where it goes on purpose another way with us. */
  readonly differs?: {
    readonly because: string;
    readonly statuses?: readonly [theirs: readonly number[], ours: readonly number[]];
    readonly fields?: Readonly<Record<string, readonly [theirs: string, ours: string]>>;
  };
}

const CLOSE = `Host: ${FIRST}\r\nConnection: close\r\n\r\n`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${CLOSE}`;

/** HAProxy lets it through, we answer it. */
const REFUSED = {
  backend: ["backend_kube_apiserver", "frontend_all"],
  server: ["kube-apiserver", "<NOSRV>"],
  status: ["200", "400"],
  state: ["----", "PR--"],
  reached: ["t/t/t/t/t", "-1/-1/-1/-1/t"],
} as const;

const CASES: readonly BesideCase[] = [
  { rule: "200", at: "all", serverName: FIRST, sends: get("/version") },
  { rule: "the second name, verified", at: "all", serverName: SECOND, sends: get("/version") },
  { rule: "no SNI: the default", at: "all", sends: get("/version") },
  { rule: "an unknown SNI: the default", at: "all", serverName: "x.example.com", sends: get("/version") },
  { rule: "404 of the server", at: "all", serverName: FIRST, sends: get("/404") },
  {
    rule: "POST with a length",
    at: "all",
    serverName: FIRST,
    sends: `POST /api/v1/namespaces HTTP/1.1\r\nContent-Length: 5\r\n${CLOSE}hello`,
  },
  {
    rule: "a chunked upload",
    at: "all",
    serverName: FIRST,
    sends: `PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${CLOSE}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
  },
  { rule: "HEAD", at: "all", serverName: FIRST, sends: `HEAD /version HTTP/1.1\r\n${CLOSE}` },
  {
    rule: "three requests on one connection",
    at: "all",
    serverName: FIRST,
    sends: `GET /one HTTP/1.1\r\nHost: ${FIRST}\r\n\r\n`,
    follow: { on: /first GET 0\n/, sends: `GET /two HTTP/1.1\r\nHost: ${FIRST}\r\n\r\n${get("/three")}` },
    lines: 3,
  },
  {
    rule: "an upgrade",
    at: "all",
    serverName: FIRST,
    sends: `GET /exec HTTP/1.1\r\nHost: ${FIRST}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
    follow: { on: /hi\n/, sends: "ls\n" },
  },
  { rule: "an HTTP/1.0 request", at: "all", serverName: FIRST, sends: "GET /old HTTP/1.0\r\n\r\n" },
  { rule: "a malformed request line", at: "all", serverName: FIRST, sends: "GET\r\n\r\n" },
  { rule: "a malformed header", at: "all", serverName: FIRST, sends: "GET / HTTP/1.1\r\nno colon\r\n\r\n" },
  {
    rule: "two different lengths",
    at: "all",
    serverName: FIRST,
    sends: `POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n${CLOSE}hello`,
  },
  {
    rule: "the client leaves a watch",
    at: "all",
    serverName: FIRST,
    sends: get("/stream"),
    leave: { on: /tick/, how: "reset" },
  },
  { rule: "the server's body ends early", at: "all", serverName: FIRST, sends: get("/short") },
  {
    rule: "the server closes without an answer",
    at: "all",
    serverName: FIRST,
    sends: get("/drop"),
    differs: {
      because: "a GET that brought no byte is repeated once on a new connection",
      fields: { retries: ["0", "1"] },
    },
  },
  { rule: "the server answers no HTTP", at: "all", serverName: FIRST, sends: get("/junk") },
  { rule: "a server that is not trusted", at: "all", serverName: WRONG, sends: get("/version") },
  { rule: "a head that does not come in time", at: "hasty", serverName: FIRST, sends: "GET / HT" },
  { rule: "a server that does not answer in time", at: "hasty", serverName: FIRST, sends: get("/slow") },
  { rule: "a server that refuses connections", at: "refused", serverName: FIRST, sends: get("/version") },
  { rule: "a server that the checks found down", at: "down", serverName: FIRST, sends: get("/version") },
  { rule: "strict-sni: a name with a certificate", at: "strict", serverName: SECOND, sends: get("/version") },
  {
    rule: "no backend for the name",
    at: "strict",
    serverName: FIRST,
    sends: get("/version"),
    differs: {
      because: "the head was complete, and when is known; HAProxy leaves it at -1",
      fields: { reached: ["-1/-1/-1/-1/t", "t/-1/-1/-1/t"] },
    },
  },
  {
    rule: "strict-sni: a name without a certificate",
    at: "strict",
    serverName: "x.example.com",
    sends: "",
    differs: {
      because: "HAProxy 2.6 has one sentence for all",
      fields: {
        sentence: [
          "SSL handshake failure",
          "no certificate for this server name (no certificate for x.example.com)",
        ],
      },
    },
  },
  { rule: "passed through by name", at: "pass", serverName: SECOND, sends: get("/version") },
  { rule: "passed through by default", at: "pass", serverName: FIRST, sends: get("/version") },
  { rule: "passed through without SNI", at: "pass", sends: get("/version") },
  // The client sent its ClientHello, so it is no probe for dontlognull.
  { rule: "no name to pass through", at: "closed", serverName: FIRST, sends: get("/version") },
  // Where we differ.
  {
    rule: "a name in capitals",
    at: "all",
    serverName: SECOND.toUpperCase(),
    sends: get("/version"),
    differs: {
      because: "server names have no case (RFC 6066 §3); HAProxy compares letter by letter unless told -i",
      fields: { backend: ["backend_kube_apiserver", "backend_second"], server: ["kube-apiserver", "second"] },
    },
  },
  {
    rule: "Content-Length and chunked",
    at: "all",
    serverName: FIRST,
    sends: `POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n${CLOSE}0\r\n\r\n`,
    differs: {
      because: "two lengths are how requests are smuggled (RFC 9112 §6.3); HAProxy 2.6 believes one of them",
      statuses: [[200], [400]],
      fields: { ...REFUSED, request: ["POST / HTTP/1.1", "<BADREQ>"] },
    },
  },
  {
    rule: "a line that ends in LF alone",
    at: "all",
    serverName: FIRST,
    sends: `GET / HTTP/1.1\n${CLOSE}`,
    differs: {
      because: "what is a line end to one and not to another smuggles requests; HAProxy 2.6 takes LF alone",
      statuses: [[200], [400]],
      fields: { ...REFUSED, request: ["GET / HTTP/1.1", "<BADREQ>"] },
    },
  },
  {
    rule: "no Host",
    at: "all",
    serverName: FIRST,
    sends: "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    differs: {
      because: "RFC 9112 §3.2 demands 400",
      statuses: [[200], [400]],
      fields: { ...REFUSED, request: ["GET / HTTP/1.1", "<BADREQ>"] },
    },
  },
  {
    rule: "a head beyond all limits",
    at: "all",
    serverName: FIRST,
    sends: get(`/${"a".repeat(100_000)}`),
    differs: {
      because: "431 says what is wrong (RFC 6585 §5), as HAProxy since 3.1",
      statuses: [[400], [431]],
      fields: { status: ["400", "431"] },
    },
  },
  {
    rule: "CONNECT",
    at: "all",
    serverName: FIRST,
    sends: "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\nConnection: close\r\n\r\n",
    differs: {
      because: "an API server is no proxy, and a tunnel through it would be nobody's to guard",
      statuses: [[502], [405]],
      fields: {
        server: REFUSED.server,
        status: ["502", "405"],
        state: ["SH--", "PR--"],
        reached: ["t/t/t/-1/t", "t/-1/-1/-1/t"],
      },
    },
  },
];

for (const given of CASES) {
  const { rule, at, lines: count = 1, differs } = given;
  it(differs === undefined ? rule : `${rule}: differs, because ${differs.because}`, async () => {
    const [theirs, ours] = [await observe(haproxy, given, count), await observe(postern, given, count)];
    const [theirStatuses, ourStatuses] = differs?.statuses ?? [theirs.statuses, theirs.statuses];
    assert.deepEqual(theirs.statuses, theirStatuses);
    assert.deepEqual(ours.statuses, ourStatuses);
    for (const [name, [expected]] of Object.entries(differs?.fields ?? {})) {
      for (const line of theirs.fields) assert.equal(line[name], expected, `theirs: ${name}`);
    }
    const expected = theirs.fields.map((line) => ({ ...line, ...oursOf(differs?.fields ?? {}) }));
    assert.deepEqual(ours.fields, expected, at);
  });
}

function oursOf(fields: NonNullable<NonNullable<BesideCase["differs"]>["fields"]>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, [, ours]]) => [name, ours]));
}

async function observe({ ports, syslog }: Side, given: BesideCase, count: number) {
  const from = syslog.lines.length;
  const answer = await exchange({ ...given, port: ports[given.at] });
  const lines = await syslog.take(ANY_LINE, count, from);
  return { answer, statuses: statuses(answer), fields: lines.map(fieldsOf) };
}

it("an answer of its own: differs, because kubectl prints the sentence of a Status and nothing of a page", async () => {
  for (const [at, theirs, ours] of [
    [
      "down",
      /^HTTP\/1\.1 503 .*<h1>503 Service Unavailable<\/h1>/s,
      /"message":"the API server refuses connections from the gate"/,
    ],
    [
      "hasty",
      /^HTTP\/1\.1 504 .*<h1>504 Gateway Time-out<\/h1>/s,
      /"message":"the API server did not answer in time"/,
    ],
  ] as const) {
    const sends = get("/slow");
    assert.match(await exchange({ port: haproxy.ports[at], serverName: FIRST, sends }), theirs);
    assert.match(await exchange({ port: postern.ports[at], serverName: FIRST, sends }), ours);
  }
});
