import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { GateEvent, LaneFacts, RequestEnded } from "../src/events/index.ts";
import { createLogging } from "../src/observe/index.ts";
import {
  KeptStream,
  testConfiguration,
  testFrontend,
  testHandshake,
  testLane,
  testLaneEnded,
  testRequest,
  testServerDown,
} from "../src/observe/testing.ts";
import { type Folder, temporaryFolder, writeCertificates } from "./support/folder.ts";
import { startHaproxy } from "./support/haproxy.ts";
import { freePort, type Running } from "./support/process.ts";

/**
 * The real HAProxy and we log the same things: each case makes something happen to HAProxy, reads its datagram, and
 * compares ours for the same event written out by hand, byte for byte but for times, ports and process ids. Two figures
 * are taken from HAProxy's line: the connection counts, which depend on how quickly it closes what was before, and the
 * bytes sent, which it counts in its inner form of a message (2.6 logs 106 where the client gets 122).
 */

/** Datagrams as they came; `next` waits for one. */
class Mailbox {
  readonly socket: UdpSocket = createSocket("udp4");
  readonly #unread: string[] = [];
  #waiting: ((line: string) => void) | undefined;

  constructor() {
    this.socket.on("message", (message) => {
      const line = message.toString("latin1");
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#unread.push(line);
      else waiting(line);
    });
  }

  async open(): Promise<void> {
    this.socket.bind(0, "127.0.0.1");
    await once(this.socket, "listening");
  }

  get port(): number {
    return this.socket.address().port;
  }

  next(): Promise<string> {
    const line = this.#unread.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no line came")), 8000);
      this.#waiting = (came) => {
        clearTimeout(late);
        resolve(came);
      };
    });
  }

  /** @returns what came in the meantime, unread. */
  async quiet(ms: number): Promise<readonly string[]> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return this.#unread.splice(0);
  }
}

const theirs = new Mailbox();
const ours = new Mailbox();
let folder: Folder;
let haproxy: Running;
let upstream: Server;
let ports: Readonly<Record<"http" | "tls" | "tcp" | "dead" | "plain" | "quiet" | "checked", number>>;

before(async () => {
  await theirs.open();
  await ours.open();
  folder = await temporaryFolder();
  const { bundle } = await writeCertificates(folder, "gate", ["localhost", "127.0.0.1"]);
  upstream = createUpstream();
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  ports = {
    http: await freePort(),
    tls: await freePort(),
    tcp: await freePort(),
    dead: await freePort(),
    plain: await freePort(),
    quiet: await freePort(),
    checked: await freePort(),
  };
  const { port } = upstream.address() as AddressInfo;
  haproxy = await startHaproxy(folder.file("haproxy.cfg"), configuration(bundle, port), ports.http);
  // The look whether it listens, and the server that is down from the start, with the backend that has no other.
  for (let line = 0; line < 3; line++) await theirs.next();
});

after(async () => {
  await haproxy?.stop();
  upstream?.closeAllConnections();
  upstream?.close();
  theirs.socket.close();
  ours.socket.close();
  await folder?.remove();
});

function configuration(bundle: string, server: number): string {
  return `
global
  log 127.0.0.1:${theirs.port} local0
defaults
  log global
  retries 0
  timeout connect 500ms
  timeout client 500ms
  timeout server 400ms
  timeout http-request 300ms
frontend fe
  mode http
  option httplog
  bind 127.0.0.1:${ports.http}
  use_backend none if { path /none }
  use_backend dead if { path /dead }
  default_backend b
frontend fes
  mode http
  option httplog
  bind 127.0.0.1:${ports.tls} ssl crt ${bundle} alpn h2,http/1.1
  default_backend b
frontend ftcp
  mode tcp
  option tcplog
  bind 127.0.0.1:${ports.tcp}
  default_backend bt
frontend fdead
  mode tcp
  option tcplog
  bind 127.0.0.1:${ports.dead}
  default_backend deadt
frontend fplain
  mode http
  bind 127.0.0.1:${ports.plain}
  default_backend b
frontend fquiet
  mode http
  option httplog
  option dontlognull
  bind 127.0.0.1:${ports.quiet} ssl crt ${bundle} name foo
  default_backend b
backend none
  mode http
  server d 127.0.0.1:1 disabled
backend dead
  mode http
  server d 127.0.0.1:1
backend b
  mode http
  http-request deny if { path /deny }
  server s 127.0.0.1:${server}
backend bt
  mode tcp
  server s 127.0.0.1:${server}
backend deadt
  mode tcp
  server d 127.0.0.1:1
backend checked
  mode http
  server c 127.0.0.1:${ports.checked} check inter 100ms fall 1 rise 1
`;
}

function createUpstream(): Server {
  const server = createServer((request, response) => {
    switch (request.url) {
      case "/404":
        response.writeHead(404).end("no");
        return;
      case "/slow":
        return;
      case "/short":
        response.writeHead(200, { "content-length": 100 }).write("abc");
        setTimeout(() => response.destroy(), 50);
        return;
      case "/drop":
        request.socket.destroy();
        return;
      case "/stream": {
        const timer = setInterval(() => response.write("x".repeat(1000)), 10);
        response.on("close", () => clearInterval(timer));
        return;
      }
      default:
        response.end("hello");
    }
  });
  server.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    socket.on("error", () => {});
    setTimeout(() => socket.end("bye"), 50);
  });
  return server;
}

interface Client {
  /** After this many ms with nothing more to send: FIN, or a reset. */
  readonly endMs?: number;
  readonly resetMs?: number;
}

/** Sends the bytes and reads until the end. */
async function send(port: number, text: string, { endMs, resetMs }: Client = {}): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  if (text !== "") socket.write(Buffer.from(text, "latin1"));
  if (endMs !== undefined) setTimeout(() => socket.end(), endMs);
  if (resetMs !== undefined) setTimeout(() => socket.resetAndDestroy(), resetMs);
  await once(socket, "close");
}

function get(target: string, more = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
}

async function curl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("curl", ["-sk", "-o", "/dev/null", ...args], { timeout: 5000 });
}

/** Our datagrams for the events, from a frontend with the given format. */
async function logged(
  frontend: {
    readonly name: string;
    readonly format: "httplog" | "tcplog" | "default";
    readonly quiet?: boolean;
  },
  ...events: readonly GateEvent[]
): Promise<readonly string[]> {
  const target = {
    kind: "udp",
    host: "127.0.0.1",
    port: ours.port,
    facility: "local0",
    level: "debug",
    lengthMax: 1024,
  } as const;
  const log = { targets: [target], format: frontend.format, dontLogNull: frontend.quiet ?? false };
  const logging = createLogging({
    configuration: testConfiguration([testFrontend(frontend.name, log)], ["b", "checked"]),
    pid: 1,
    stdout: new KeptStream(),
    stderr: new KeptStream(),
  });
  for (const event of events) logging.tell(event);
  await logging.close();
  return ours.quiet(20);
}

/** Times, ports and process ids gone; what is -1 stays, for it says that a phase was not reached. */
function plain(line: string): string {
  return line
    .replace(/^(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d haproxy\[\d+\]: /, "$1TIME haproxy[PID]: ")
    .replace(/127\.0\.0\.1:\d+ \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d\.\d{3}\]/, "CLIENT [TIME]")
    .replace(/Connect from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+/, "Connect from CLIENT to BIND")
    .replace(/ (-?\d+\/){2,4}-?\d+ /, (times) => times.replace(/(?<!-)\b\d+/g, "T"))
    .replace(/check duration: \d+ms/, "check duration: Tms");
}

/** The bytes and the `1/1/0/0` of a line of HAProxy's. */
function countedIn(line: string): Pick<RequestEnded, "bytesToClient" | "counts"> {
  const [, bytesToClient = 0, process = 0, frontend = 0, backend = 0, server = 0] = (
    / (\d+) (?:- - )?[-\w]{2,4} (\d+)\/(\d+)\/(\d+)\/(\d+)\/\d+ \d+\/\d+/.exec(line) ?? []
  ).map(Number);
  return { bytesToClient, counts: { process, frontend, backend, server } };
}

interface HttpCase {
  readonly rule: string;
  readonly sends: string;
  readonly client?: Client;
  readonly lane?: Partial<LaneFacts>;
  readonly event: Partial<RequestEnded>;
}

/** No server was chosen: HAProxy waited for none and connected to none. */
const NO_SERVER = { server: undefined, queueMs: -1, connectMs: -1 } as const;
const UNREAD = {
  method: undefined,
  target: undefined,
  authority: undefined,
  headMs: -1,
  responseMs: -1,
} as const;

const HTTP: readonly HttpCase[] = [
  { rule: "200", sends: get("/"), event: { target: "/" } },
  { rule: "404 of the server", sends: get("/404"), event: { target: "/404", status: 404 } },
  {
    rule: "HTTP/1.0",
    sends: "GET /old HTTP/1.0\r\n\r\n",
    event: { target: "/old", version: "HTTP/1.0" },
  },
  { rule: "OPTIONS *", sends: get("*").replace("GET", "OPTIONS"), event: { method: "OPTIONS", target: "*" } },
  {
    rule: "an absolute target",
    sends: get("http://x/abs"),
    event: { target: "http://x/abs" },
  },
  {
    rule: "quotes and braces in a target",
    sends: get('/a"b{d|e}<f>\\^`?"{|'),
    event: { target: '/a"b{d|e}<f>\\^`?"{|' },
  },
  {
    rule: "a request that a rule denies",
    sends: get("/deny"),
    event: { target: "/deny", status: 403, termination: "PR--", reason: "denied", responseMs: -1 },
  },
  {
    rule: "no server is up",
    sends: get("/none"),
    lane: { backend: "none", ...NO_SERVER },
    event: { target: "/none", status: 503, termination: "SC--", reason: "no_server", responseMs: -1 },
  },
  {
    rule: "the server refuses",
    sends: get("/dead"),
    lane: { backend: "dead", server: "d", connectMs: -1 },
    event: { target: "/dead", status: 503, termination: "SC--", reason: "dial_refused", responseMs: -1 },
  },
  {
    rule: "the server closes before it answers",
    sends: get("/drop"),
    event: { target: "/drop", status: 502, termination: "SH--", reason: "server_closed", responseMs: -1 },
  },
  {
    rule: "the server is too slow",
    sends: get("/slow"),
    event: { target: "/slow", status: 504, termination: "sH--", reason: "server_slow", responseMs: -1 },
  },
  {
    rule: "the server's body ends early",
    sends: get("/short"),
    event: { target: "/short", termination: "SD--", reason: "server_gone" },
  },
  {
    rule: "the client leaves in the middle of the answer",
    sends: get("/stream"),
    client: { resetMs: 100 },
    event: { target: "/stream", termination: "CD--", reason: "client_gone" },
  },
  {
    rule: "an upgrade",
    sends: get("/up", "Upgrade: x\r\n").replace("Connection: close", "Connection: Upgrade"),
    client: { endMs: 100 },
    event: { target: "/up", status: 101, upgraded: true },
  },
  {
    rule: "a request that cannot be read",
    sends: "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    lane: NO_SERVER,
    event: { ...UNREAD, status: 400, termination: "PR--", reason: "bad_request" },
  },
  {
    rule: "a head that does not end in time",
    sends: "GET / HT",
    lane: NO_SERVER,
    event: { ...UNREAD, status: 408, termination: "cR--", reason: "head_too_slow" },
  },
  {
    rule: "a FIN in the head",
    sends: "GET / HT",
    client: { endMs: 50 },
    lane: NO_SERVER,
    event: { ...UNREAD, status: 400, termination: "CR--", reason: "client_gone_in_head" },
  },
];

for (const { rule, sends, client, lane, event } of HTTP) {
  test(`httplog: ${rule}`, async () => {
    await send(ports.http, sends, client);
    const line = await theirs.next();
    const mine = await logged(
      { name: "fe", format: "httplog" },
      testRequest({
        lane: testLane(lane),
        ...countedIn(line),
        ...event,
      }),
    );
    assert.deepEqual(mine.map(plain), [plain(line)]);
  });
}

test("httplog: a long line is cut to the same length, its line feed kept", async () => {
  const target = `/${"a".repeat(3000)}`;
  await send(ports.http, get(target));
  const line = await theirs.next();
  const [mine = ""] = await logged(
    { name: "fe", format: "httplog" },
    testRequest({ target, ...countedIn(line) }),
  );
  assert.equal(mine.length, line.length);
  assert.equal(mine.at(-1), line.at(-1));
  assert.equal(plain(mine).slice(0, 900), plain(line).slice(0, 900));
});

test("httplog: a lane that sent nothing", async () => {
  await send(ports.http, "", { endMs: 0 });
  const left = await theirs.next();
  await send(ports.http, "");
  const silent = await theirs.next();
  const mine = await logged(
    { name: "fe", format: "httplog" },
    ...[
      { line: left, termination: "CR", reason: "client_gone_in_head" } as const,
      { line: silent, termination: "cR", reason: "head_too_slow" } as const,
    ].map(({ line, termination, reason }) =>
      testLaneEnded({
        lane: testLane(NO_SERVER),
        termination,
        reason,
        bytesFromClient: 0,
        ...countedIn(line),
      }),
    ),
  );
  assert.deepEqual(mine.map(plain), [plain(left), plain(silent)]);
});

test("httplog: HTTP/2 over TLS has an absolute URI, HTTP/1.1 over TLS a path", async () => {
  const authority = `localhost:${ports.tls}`;
  const cases: readonly (readonly [args: readonly string[], event: Partial<RequestEnded>])[] = [
    [["--http2", `https://${authority}/x?y=%22"`], { version: "HTTP/2.0", target: '/x?y=%22"' }],
    [
      ["--http2", `https://${authority}/deny`],
      { version: "HTTP/2.0", target: "/deny", status: 403, termination: "PR--", responseMs: -1 },
    ],
    [["--http1.1", `https://${authority}/x?y=1`], { target: "/x?y=1" }],
  ];
  for (const [args, event] of cases) {
    await curl(...args);
    const line = await theirs.next();
    const lane = testLane({ tls: true, frontend: "fes" });
    const mine = await logged(
      { name: "fes", format: "httplog" },
      testRequest({ lane, authority, ...countedIn(line), ...event }),
    );
    assert.deepEqual(mine.map(plain), [plain(line)]);
  }
});

test("tcplog: in order, idle (the server's time is the shorter one here), refused", async () => {
  await send(ports.tcp, get("/"));
  const first = await theirs.next();
  await send(ports.tcp, "");
  const second = await theirs.next();
  await send(ports.dead, "x");
  const third = await theirs.next();
  const tcp = { frontendMode: "tcp", frontend: "ftcp", backend: "bt" } as const;
  const dead = { ...tcp, frontend: "fdead", backend: "deadt", server: "d", connectMs: -1 } as const;
  const mine = [
    ...(await logged(
      { name: "ftcp", format: "tcplog" },
      testLaneEnded({ lane: testLane(tcp), ...countedIn(first) }),
      testLaneEnded({ lane: testLane(tcp), termination: "sD", ...countedIn(second) }),
    )),
    ...(await logged(
      { name: "fdead", format: "tcplog" },
      testLaneEnded({ lane: testLane(dead), termination: "SC", ...countedIn(third) }),
    )),
  ];
  assert.deepEqual(mine.map(plain), [first, second, third].map(plain));
});

test("default: who connected to what", async () => {
  await send(ports.plain, get("/"));
  const line = await theirs.next();
  const mine = await logged(
    { name: "fplain", format: "default" },
    testRequest({ lane: testLane({ frontend: "fplain" }) }),
  );
  assert.deepEqual(mine.map(plain), [plain(line)]);
});

test("handshakes: closed, not TLS, too slow; HAProxy 2.6 says no more than that", async () => {
  await send(ports.tls, "", { endMs: 0 });
  const closed = await theirs.next();
  await send(ports.quiet, "GET / HTTP/1.0\r\n\r\n");
  const failed = await theirs.next();
  await send(ports.tls, "\x16\x03\x01");
  const slow = await theirs.next();
  const mine = [
    ...(await logged(
      { name: "fes", format: "httplog" },
      testHandshake({ frontend: "fes", reason: "handshake_closed", silent: true }),
    )),
    ...(await logged(
      { name: "fquiet", format: "httplog" },
      testHandshake({ frontend: "fquiet", bind: "foo" }),
    )),
    ...(await logged(
      { name: "fes", format: "httplog" },
      testHandshake({ frontend: "fes", reason: "handshake_timeout" }),
    )),
  ];
  assert.deepEqual(mine.map(plain), [closed, failed, slow].map(plain));
});

test("dontlognull: neither says a word about a port probe", async () => {
  await send(ports.quiet, "", { endMs: 0 });
  assert.deepEqual(await theirs.quiet(100), []);
  const probe = testHandshake({ frontend: "fquiet", bind: "foo", reason: "handshake_closed", silent: true });
  assert.deepEqual(await logged({ name: "fquiet", format: "httplog", quiet: true }, probe), []);
});

test("a server goes down and comes up", async (context) => {
  // HAProxy checked it before the cases began: those lines came first and are gone by now, so it is made to come up.
  const server = createServer();
  context.after(() => server.close());
  server.listen(ports.checked, "127.0.0.1");
  const up = await theirs.next();
  server.close();
  const down = await theirs.next();
  const none = await theirs.next();
  const checked = { backend: "checked", server: "c" } as const;
  const mine = await logged(
    { name: "fe", format: "httplog" },
    testServerDown({ ...checked, up: true, reason: "check_passed", detail: "", activeLeft: 1 }),
    testServerDown(checked),
  );
  // What follows counts sessions moved and queued: the gate does neither.
  const theirLines = [up, down, none].map((line) => plain(line.replace(/ \d+ sessions .*/, "")));
  assert.deepEqual(mine.map(plain), theirLines);
});
