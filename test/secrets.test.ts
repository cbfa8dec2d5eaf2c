import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { Writable } from "node:stream";
import { after, before, it } from "node:test";
import { bundlePem, type Issued, issueServerCertificate } from "../src/pki/index.ts";
import type { Sandbox } from "../src/sandbox/index.ts";
import { configure, startGate } from "../src/tasks/index.ts";
import { makeCa, startApi } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { runGate } from "./support/gate.ts";
import { freePort } from "./support/process.ts";
import { exchange } from "./support/raw-tls.ts";
import { type ScriptedApi, startScriptedApi } from "./support/scripted-api.ts";
import { type Syslog, startSyslog } from "./support/syslog.ts";

// Secrets wherever a client or a server can put one, in good requests and in bad ones, over every protocol; then all that
// the process ever wrote, in every log format at every level and with `debug`, is searched for them.

const ENTRANCES = ["http", "two", "plain", "down", "hasty", "strict", "tcp", "pass"] as const;
type Ports = Readonly<Record<(typeof ENTRANCES)[number], number>>;

const base64 = (text: string) => Buffer.from(text).toString("base64url");

/** Secrets by the place where they are put; each is searched for as it is and in base64. */
const SECRETS = {
  bearer: "s3cret-in-authorization",
  cookie: "s3cret-in-cookie",
  setCookie: "s3cret-in-set-cookie",
  proxy: "s3cret-in-proxy-authorization",
  query: "s3cret-in-query",
  encoded: "s3cret-percent-encoded",
  subprotocol: "s3cret-in-subprotocol",
  userinfo: "s3cret-in-userinfo",
  remote: "s3cret-in-x-remote-extra-token",
  extra: "s3cret-in-x-api-key",
  agent: "s3cret-in-user-agent",
  malformed: "s3cret-in-a-malformed-head",
  line: "s3cret-in-a-malformed-line",
  half: "s3cret-in-half-a-head",
  huge: "s3cret-in-a-huge-head",
  plainHttp: "s3cret-in-plain-http",
  garbage: "s3cret-in-garbage",
  body: "s3cret-in-a-body",
  location: "s3cret-in-location",
  frame: "s3cret-in-a-bad-frame",
} as const;

const jwt = `${base64('{"alg":"RS256"}')}.${base64(`{"sub":"${SECRETS.bearer}"}`)}.${base64(SECRETS.bearer)}`;
const credentials = {
  authorization: `Bearer ${SECRETS.bearer}`,
  cookie: `session=${SECRETS.cookie}`,
  "proxy-authorization": `Basic ${base64(SECRETS.proxy)}`,
  "x-remote-extra-token": SECRETS.remote,
  "x-api-key": SECRETS.extra,
  "user-agent": `kubectl/1.35 --token=${SECRETS.agent}`,
};
const QUERY = `?token=${SECRETS.query}&access_token=${jwt}&x=%74oken%3D${SECRETS.encoded}&limit=5`;
const HEAD = Object.entries(credentials)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join("");
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.${base64(SECRETS.subprotocol)}\r\n`;

/** What is written to a TLS entrance that speaks HTTP/1.1; the path names the case in the log. */
const RAW: readonly (readonly [rule: string, at: keyof Ports, bytes: string])[] = [
  ["a good request", "http", `GET /good${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`],
  ["no log format", "plain", `GET /good${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`],
  [
    "an absolute target with userinfo",
    "http",
    `GET https://me:${SECRETS.userinfo}@x/absolute${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  ["a WebSocket with its token", "http", `GET /upgrade${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}${UPGRADE}\r\n`],
  [
    "two lengths",
    "http",
    `POST /smuggled${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${SECRETS.body}`,
  ],
  [
    "a header without a colon",
    "http",
    `GET /nocolon HTTP/1.1\r\nHost: x\r\nAuthorization Bearer ${SECRETS.malformed}\r\n\r\n`,
  ],
  [
    "a line with a space too many",
    "http",
    `GET /?token=${SECRETS.line} more HTTP/1.1\r\nHost: x\r\n${HEAD}\r\n`,
  ],
  [
    "a control character",
    "http",
    `GET /control HTTP/1.1\r\nHost: x\r\nCookie: a=\x01${SECRETS.malformed}\r\n\r\n`,
  ],
  [
    "a head beyond all limits",
    "http",
    `GET /huge HTTP/1.1\r\nHost: x\r\n${`Cookie: a=${SECRETS.huge}\r\n`.repeat(4_000)}\r\n`,
  ],
  [
    "a path with two meanings",
    "http",
    `GET /api/%2e%2e/${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  ["CONNECT", "http", `CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n${HEAD}Connection: close\r\n\r\n`],
  ["the server closes", "http", `GET /drop${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`],
  [
    "the server answers no HTTP",
    "http",
    `GET /junk${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  [
    "the server breaks off",
    "http",
    `GET /short${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  ["no server", "down", `GET /down${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`],
  [
    "no server, asked for discovery",
    "down",
    `GET /api${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  [
    "a server that is slow",
    "hasty",
    `GET /slow${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  ["a head that does not end", "hasty", `GET /half HTTP/1.1\r\nAuthorization: Bearer ${SECRETS.half}`],
  [
    "TLS ended, then bytes",
    "tcp",
    `GET /tcp${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`,
  ],
  ["TLS passed through", "pass", `GET /pass${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}Connection: close\r\n\r\n`],
];

let folder: Folder;
let gateCertificate: Issued;
let api: ScriptedApi;
/** Speaks HTTP/2 as well. */
let kube: Sandbox;
let syslog: Syslog;

before(async () => {
  folder = await temporaryFolder();
  const ca = await makeCa(folder, "house CA");
  gateCertificate = await issueServerCertificate(ca, { hosts: ["gate.example.com"] });
  await folder.write("gate.pem", bundlePem(gateCertificate));
  api = await startScriptedApi("api", await issueServerCertificate(ca, { hosts: ["api"] }), {
    "/good": (_request, response) => {
      response.writeHead(302, {
        "set-cookie": `session=${SECRETS.setCookie}`,
        location: `https://x/?code=${SECRETS.location}`,
        "x-auth-token": SECRETS.setCookie,
      });
      response.end(SECRETS.body);
    },
  });
  kube = await startApi(await issueServerCertificate(ca, { hosts: ["api"] }), ca);
  syslog = await startSyslog();
});
after(async () => {
  api?.close();
  await kube?.close();
  syslog?.close();
  await folder?.remove();
});

function configuration(ports: Ports, deadPort: number): string {
  const tls = `ssl crt ${folder.file("gate.pem")} alpn h2,http/1.1`;
  const levels = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
  return `global
    debug
${levels.map((level) => `    log 127.0.0.1:${syslog.port} local0 ${level}`).join("\n")}
    log stdout format raw local0
    log stderr format rfc3164 local1
defaults
    mode http
    log global
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    retries 0
frontend http
    option httplog
    bind 127.0.0.1:${ports.http} ${tls}
    default_backend api
frontend two
    option httplog
    bind 127.0.0.1:${ports.two} ${tls}
    default_backend kube
frontend plain
    bind 127.0.0.1:${ports.plain} ${tls}
    default_backend api
frontend down
    option httplog
    bind 127.0.0.1:${ports.down} ${tls}
    default_backend down
frontend hasty
    option httplog
    timeout http-request 300ms
    bind 127.0.0.1:${ports.hasty} ${tls}
    default_backend hasty
frontend strict
    option httplog
    bind 127.0.0.1:${ports.strict} ${tls} strict-sni
    default_backend api
frontend tcp
    mode tcp
    option tcplog
    bind 127.0.0.1:${ports.tcp} ssl crt ${folder.file("gate.pem")}
    default_backend tcp
frontend pass
    mode tcp
    option tcplog
    bind 127.0.0.1:${ports.pass}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend pass if { req.ssl_sni -i gate.example.com }
backend api
    server api 127.0.0.1:${api.port} check ssl verify none
backend kube
    server api 127.0.0.1:${kube.port} check ssl verify none
backend hasty
    timeout server 300ms
    server api 127.0.0.1:${api.port} ssl verify none
backend down
    server gone 127.0.0.1:${deadPort} check ssl verify none
backend tcp
    mode tcp
    server api 127.0.0.1:${api.port} ssl verify none
backend pass
    mode tcp
    server api 127.0.0.1:${api.port}
`;
}

async function freePorts(): Promise<Ports> {
  const ports = await Promise.all(ENTRANCES.map(() => freePort()));
  return Object.fromEntries(ENTRANCES.map((entrance, index) => [entrance, ports[index]])) as Ports;
}

/** Everything at once: the lines of one must not carry what belongs to another either. */
async function plant(ports: Ports): Promise<void> {
  const name = "gate.example.com";
  await Promise.all([
    ...RAW.map(([, at, sends]) =>
      exchange({
        port: ports[at],
        serverName: name,
        sends,
        leave: { on: /\r\n\r\nhi\n$/, how: "end" },
      }),
    ),
    exchange({
      port: ports.http,
      serverName: name,
      sends: `GET /stream${QUERY} HTTP/1.1\r\nHost: x\r\n${HEAD}\r\n`,
      leave: { on: /tick/, how: "reset" },
    }),
    exchange({ port: ports.two, serverName: name, sends: badFrames(), alpn: ["h2"] }),
    exchange({
      port: ports.strict,
      serverName: `${jwt.slice(0, 60)}.example.com`,
      sends: "",
    }),
    overHttp2(ports.two),
    overHttp2(ports.down),
    inPlain(ports.http, `GET /plain?token=${SECRETS.plainHttp} HTTP/1.1\r\nHost: x\r\n${HEAD}\r\n`),
    inPlain(ports.http, `\x16\x03\x01 token=${SECRETS.garbage}`),
    inPlain(ports.http, `Authorization: Bearer ${SECRETS.garbage}\r\n\r\n`),
  ]);
  // Behind all of them, so that their lines are out.
  for (const at of ["http", "two", "down", "hasty"] as const) {
    await exchange({
      port: ports[at],
      serverName: name,
      sends: `GET /last-of-${at} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    });
  }
}

function overHttp2(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      servername: "gate.example.com",
      rejectUnauthorized: false,
    });
    session.on("error", reject);
    session.on("close", resolve);
    const stream = session.request({ ":path": `/good${QUERY}`, ":method": "POST", ...credentials });
    stream.on("error", reject);
    stream.on("close", () => session.close());
    stream.end(SECRETS.body);
    stream.resume();
  });
}

/** A preface, SETTINGS, and a head whose header names are not lower case (RFC 9113 §8.2.1), with a secret in each. */
function badFrames(): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const literal = (name: string, value: string) => Buffer.concat([Buffer.from([0]), text(name), text(value)]);
  const block = Buffer.concat([
    literal(":method", "GET"),
    literal(":scheme", "https"),
    literal(":authority", "x"),
    literal(":path", `/bad?token=${SECRETS.frame}`),
    literal("Authorization", `Bearer ${SECRETS.frame}`),
  ]);
  const frame = (type: number, flags: number, stream: number, payload: Buffer) => {
    const head = Buffer.from([0, payload.length >> 8, payload.length & 0xff, type, flags, 0, 0, 0, stream]);
    return Buffer.concat([head, payload]);
  };
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(1, 5, 1, block),
    // DATA on a stream that was never opened: the end of the lane.
    frame(0, 0, 77, Buffer.from(SECRETS.frame)),
  ]);
}

function inPlain(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, "127.0.0.1", () => socket.end(bytes));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
  });
}

function assertNoSecret(written: string): void {
  const found = Object.entries(SECRETS).flatMap(([place, secret]) =>
    [secret, base64(secret), secret.toUpperCase(), encodeURIComponent(secret)]
      .filter((form) => written.includes(form))
      .map(
        (form) =>
          `${place}: ${written
            .split("\n")
            .find((line) => line.includes(form))
            ?.slice(0, 400)}`,
      ),
  );
  assert.deepEqual(found, []);
  for (const line of gateCertificate.keyPem.split("\n").filter((line) => line.length > 20)) {
    assert.equal(written.includes(line), false, "a line of a private key");
  }
  assert.equal(written.includes(jwt.slice(0, 40)), false, "the beginning of a JWT");
}

it("no secret is in anything that run ever wrote: every format of haproxy.cfg, every level, debug", async (t) => {
  const ports = await freePorts();
  const deadPort = await freePort();
  const gate = await runGate(folder, () => configuration(ports, deadPort));
  t.after(() => gate.stop("SIGKILL"));
  await gate.wrote(/Server down\/gone is DOWN/);
  await plant(ports);
  await syslog.until(/last-of-hasty/);
  await gate.wrote(/"GET \/last-of-hasty/);
  assert.equal(await gate.stop(), 0);
  const written = gate.output() + syslog.lines.join("");
  // That the searched is not merely empty.
  for (const [, , bytes] of RAW) {
    const path = /^GET (?:https:\/\/[^/]*)?(\/[a-z]+)\?/.exec(bytes)?.[1];
    if (path === undefined || /tcp|pass|absolute/.test(path)) continue; // no HTTP to the gate; refused (<BADREQ>)
    assert.match(written, new RegExp(`"GET \\S*${path}\\?token=<redacted>`), path);
  }
  for (const seen of [
    /authorization: <redacted>/,
    /"<BADREQ>"/,
    / 431 /,
    / 504 /,
    / 408 /,
    /<redacted>.*HTTP\/2\.0"/,
  ]) {
    assert.match(written, seen);
  }
  assertNoSecret(written);
});

it("no secret is in the JSON log either", async (t) => {
  const ports = await freePorts();
  const file = await folder.write("json.conf", configuration(ports, await freePort()));
  const { ready } = configure(file, {});
  assert.ok(ready !== undefined);
  let written = "";
  const kept = () =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written += chunk.toString();
        done();
      },
    });
  const frontends = ready.configuration.frontends.map((frontend) => ({
    ...frontend,
    log: { ...frontend.log, format: "json" as const },
  }));
  const engine = await startGate({
    configuration: { ...ready.configuration, frontends },
    materials: ready.materials,
    output: { stdout: kept(), stderr: kept(), pid: process.pid, onProblem: (text) => (written += text) },
  });
  t.after(() => engine.stop(0));
  await plant(ports);
  await engine.stop(0);
  assert.match(written, /"path":"\/good\?token=<redacted>/);
  assertNoSecret(written);
});
