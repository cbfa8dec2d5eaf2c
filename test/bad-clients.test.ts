import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { bundlePem, issueServerCertificate } from "../src/pki/index.ts";
import { request, type Sandbox } from "../src/sandbox/index.ts";
import { ADMIN_TOKEN, makeCa, startApi, type TestCa } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type RunningGate, runGate } from "./support/gate.ts";
import { curl } from "./support/outsider.ts";
import { type Running, start } from "./support/process.ts";
import { exchange } from "./support/raw-tls.ts";

// Clients that do it wrong, one after another and all at once, while a neighbour's watch goes on.

const NAME = "gate.example.com";

let folder: Folder;
let ca: TestCa;
let api: Sandbox;
let gate: RunningGate;
let watch: Running;

before(async () => {
  folder = await temporaryFolder();
  ca = await makeCa(folder, "house CA");
  await folder.write("gate.pem", bundlePem(await issueServerCertificate(ca, { hosts: [NAME, "127.0.0.1"] })));
  api = await startApi(await issueServerCertificate(ca, { hosts: ["kubernetes", "127.0.0.1"] }), ca);
  gate = await runGate(
    folder,
    (port) => `global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 1h
    timeout client-hs 500ms
    timeout http-request 500ms
    timeout server 1h
frontend gate
    bind 127.0.0.1:${port} ssl crt ${folder.file("gate.pem")} alpn h2,http/1.1
    default_backend api
backend api
    server api 127.0.0.1:${api.port} check ssl verify required ca-file ${ca.file} verifyhost kubernetes
`,
  );
  watch = start("curl", [
    ...["-sN", "--cacert", ca.file, "-H", `Authorization: Bearer ${ADMIN_TOKEN}`],
    `https://127.0.0.1:${gate.port}/api/v1/namespaces/default/configmaps?watch=true`,
  ]);
  await gateSees(1);
});
after(async () => {
  await watch?.stop();
  await gate?.stop();
  await api?.close();
  await folder?.remove();
});

/** Until the API server holds so many watches. */
async function gateSees(streams: number): Promise<void> {
  const end = Date.now() + 10_000;
  while (api.openStreams("watch") !== streams) {
    assert.ok(Date.now() < end, `${api.openStreams("watch")} watches`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let told = 0;

/** Something changes in the cluster, and the neighbour hears of it over the connection it had all the time. */
async function assertNeighbourHears(): Promise<void> {
  const name = `change-${++told}`;
  const { status } = await request(
    { url: api.url, ca: ca.certificatePem, token: ADMIN_TOKEN },
    "/api/v1/namespaces/default/configmaps",
    { method: "POST", body: JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name } }) },
  );
  assert.equal(status, 201);
  await watch.wrote(new RegExp(`"type":"ADDED".*"name":"${name}"`));
  assert.equal(api.openStreams("watch"), 1);
}

interface ClientCase {
  readonly rule: string;
  does(): Promise<unknown>;
  /** A line of the log that comes of it. */
  readonly log: RegExp;
}

const post = `POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: ${NAME}\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
const follow = `GET /api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0 HTTP/1.1\r\nHost: ${NAME}\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`;

const CLIENTS: readonly ClientCase[] = [
  {
    rule: "connects and says nothing: it is cut after the handshake time",
    does: () => plain(() => {}),
    log: /gate\/1: Timeout during SSL handshake/,
  },
  {
    rule: "ends TLS and leaves without a word",
    does: () => within(said("")),
    log: /gate~ gate\/<NOSRV> -1\/-1\/-1\/-1\/\d+ 400 \d+ - - CR-- .* "<BADREQ>"/,
  },
  {
    rule: "connects and leaves",
    does: () => plain((socket) => socket.end()),
    log: /gate\/1: Connection closed during SSL handshake/,
  },
  {
    rule: "leaves in the middle of its ClientHello",
    does: () => plain((socket) => socket.end(Buffer.from("1603010200010001fc0303", "hex"))),
    log: /gate\/1: Connection closed during SSL handshake \(the client closed before its ClientHello was complete\)/,
  },
  {
    rule: "sends garbage to the TLS port",
    does: () => plain((socket) => socket.write("\x00\x01\x02 what is this?\r\n")),
    log: /gate\/1: the client does not speak TLS \(the first bytes are not a TLS ClientHello\)/,
  },
  {
    rule: "sends a ClientHello that is none",
    does: () => plain((socket) => socket.write(Buffer.from("16030100050100000103", "hex"))),
    log: /gate\/1: the client does not speak TLS/,
  },
  {
    rule: "speaks plain HTTP to the TLS port: curl prints the sentence",
    async does() {
      const { code, stdout } = await curl(`http://127.0.0.1:${gate.port}/`);
      assert.deepEqual([code, stdout], [0, "Client sent an HTTP request to an HTTPS server.\n"]);
    },
    log: /gate\/1: Client sent an HTTP request to an HTTPS server\. \(plain HTTP to a TLS port\)/,
  },
  {
    rule: "ends TLS and says nothing: 408 after timeout http-request",
    does: async () => assert.match(await exchange(said("")), /^HTTP\/1\.1 408 Request Timeout\r\n/),
    log: /gate~ gate\/<NOSRV> -1\/-1\/-1\/-1\/\d+ 408 \d+ - - cR-- .* "<BADREQ>"/,
  },
  {
    rule: "leaves in the middle of its head",
    does: () => within(said("GET /api HTTP/1.1\r\nHo")),
    log: /gate~ gate\/<NOSRV> -1\/-1\/-1\/-1\/\d+ 400 \d+ - - CR-- .* "<BADREQ>"/,
  },
  {
    rule: "leaves in the middle of its body",
    does: () => within(said(`${post}{"kind":`)),
    // A reset may overtake the request: then the gate has not seen it.
    log: /gate~ (api\/api \S+ 400 \d+ - - CD-- .* "POST \/api\/v1\/namespaces\/default\/configmaps HTTP\/1\.1"|gate\/<NOSRV> \S+ 400 \d+ - - CR-- .* "<BADREQ>")/,
  },
  {
    rule: "leaves in the middle of its answer",
    does: () => exchange({ ...said(follow), leave: { on: /"type":"ADDED"/, how: "reset" } }),
    log: /gate~ api\/api \d+\/0\/\d+\/\d+\/\d+ 200 \d+ - - CD-- .* "GET \/api\/v1\/namespaces\/default\/configmaps\?watch=true/,
  },
  {
    rule: "sends a malformed request: 400 with a Status that says what is wrong",
    does: async () =>
      assert.match(
        await exchange(said("GET /a b HTTP/1.1\r\n\r\n")),
        /^HTTP\/1\.1 400 Bad Request\r\n.*"message":"the request is not valid HTTP and was refused by the gate: [^"]+"/s,
      ),
    log: /gate~ gate\/<NOSRV> -1\/-1\/-1\/-1\/\d+ 400 \d+ - - PR-- .* "<BADREQ>"/,
  },
  {
    rule: "agrees to speak HTTP/2 and does not",
    does: () => exchange({ ...said("GET / HTTP/1.1\r\n\r\n"), alpn: ["h2"] }),
    log: /gate~ \S+\/<NOSRV> .* - - PR-- .* "<BADREQ>"/,
  },
];

for (const { rule, does, log } of CLIENTS) {
  it(rule, async () => {
    const from = gate.output().length;
    await does();
    await gate.wrote(log, 10_000, from);
    await assertNeighbourHears();
  });
}

it("all of them at once, ten times: the neighbour goes on, the gate says nothing of a mistake of its own", async () => {
  const crowd = Array.from({ length: 10 }, () => CLIENTS.map(({ does }) => does())).flat();
  await Promise.all(crowd);
  await assertNeighbourHears();
  assert.doesNotMatch(gate.output(), /^ {4}at |node:internal|please report it/m);
  // What the others held upstream is given back: the neighbour's connection is left, and perhaps a check's.
  await gateSees(1);
});

const said = (sends: string) => ({ port: gate.port, serverName: NAME, sends });

/** Speaks TCP as it is, until it is closed. */
function plain(talk: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp(gate.port, "127.0.0.1", () => talk(socket));
    socket.on("error", () => {}); // a reset is an end as well
    socket.on("close", () => resolve());
    socket.resume();
  });
}

/** Sends that, once the gate has shaken hands (its ticket is here), and leaves as soon as it is written. */
function within({ port, sends }: { readonly port: number; readonly sends: string }): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTls({
      port,
      host: "127.0.0.1",
      servername: NAME,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    });
    socket.once("session", () => socket.write(sends, () => socket.destroy()));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}
