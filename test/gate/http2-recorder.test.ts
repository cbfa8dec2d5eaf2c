import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type Frame, framesOf, spell } from "../../src/gate/http2/testing/loopback.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { ask2, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { startNginx } from "../support/nginx.ts";
import { freePort, type Running, runToEnd } from "../support/process.ts";
import { startTap, type Tap, type Tapped } from "../support/tap.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

// A byte recorder on both legs of an h2 lane, between real clients and real servers: taps that end TLS and make it anew.
// Each frame on the one leg must be on the other, but for the edits that docs/architecture.md lists.

const NAME = "gate.example.com";
const TOKEN = "admin-token";

let folder: Folder;
let certificates: Awaited<ReturnType<typeof writeCertificates>>;
let nginx: Running & { readonly port: number };
let haproxy: Running;
let haproxyPort: number;
let behindHaproxy: Upstream;
let sandbox: Sandbox;

before(async () => {
  folder = await temporaryFolder();
  certificates = await writeCertificates(folder, "gate", [NAME]);
  nginx = await startNginx(folder, certificates);
  behindHaproxy = await startUpstream();
  haproxyPort = await freePort();
  haproxy = await startHaproxy(
    folder.file("haproxy.cfg"),
    `${DEFAULTS}
frontend server
    bind 127.0.0.1:${haproxyPort} ssl crt ${certificates.bundle} alpn h2
    default_backend node
backend node
    server s 127.0.0.1:${behindHaproxy.port}
`,
    haproxyPort,
  );
  sandbox = await startSandbox({
    tls: { cert: certificates.certificatePem, key: certificates.keyPem },
    tokens: { [TOKEN]: { name: "admin", groups: ["system:masters"] } },
    logIntervalMs: 0,
  });
});

after(async () => {
  await haproxy?.stop("SIGKILL");
  await nginx?.stop("SIGKILL");
  await behindHaproxy?.close();
  await sandbox?.close();
  await folder?.remove();
});

/** Client → tap → gate → tap → server. */
interface Line {
  readonly port: number;
  readonly gate: GateUnderTest;
  /** The one lane that was used, on both legs. */
  lane(): { readonly client: Tapped; readonly server: Tapped };
}

async function layLine(t: { after(fn: () => unknown): void }, serverPort: number): Promise<Line> {
  const secret = { cert: certificates.certificatePem, key: certificates.keyPem };
  const serverTap: Tap = await startTap(secret, () => serverPort);
  t.after(() => serverTap.close());
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server s 127.0.0.1:${serverTap.port} ssl verify none
`);
  t.after(() => gate.close());
  const clientTap = await startTap(secret, () => gate.port());
  t.after(() => clientTap.close());
  await until("the probe", () => gate.pools.get("api")?.servers[0]?.alpn !== undefined);
  return {
    port: clientTap.port,
    gate,
    lane() {
      const used = (tap: Tap) => tap.connections.filter(({ fromClient }) => fromClient.length > 0);
      const [client, ...otherClients] = used(clientTap);
      const [server, ...otherServers] = used(serverTap);
      assert.ok(client && server);
      assert.deepEqual([otherClients.length, otherServers.length], [0, 0], "one lane");
      return { client, server };
    },
  };
}

const servers = [
  { name: "nginx", port: () => nginx.port, small: "/x", big: "/big" },
  { name: "HAProxy", port: () => haproxyPort, small: "/x", big: "/big?300000" },
  { name: "the sandbox", port: () => sandbox.port, small: "/version", big: "/openapi/v2" },
] as const;

interface Visit {
  readonly port: number;
  readonly small: string;
  readonly big: string;
}

const clients = [
  {
    name: "curl",
    async visit({ port, small, big }: Visit) {
      const url = `https://${NAME}:${port}`;
      const common = [
        "-sS",
        "--http2",
        "--cacert",
        certificates.ca,
        "--resolve",
        `${NAME}:${port}:127.0.0.1`,
      ];
      const headers = ["-H", `Authorization: Bearer ${TOKEN}`, "-H", `X-Long: ${"l".repeat(300)}`];
      const { code, stderr, stdout } = await runToEnd("curl", [
        ...[...common, ...headers, `${url}${small}`, `${url}${big}`, "--next"],
        ...[...common, ...headers, "--data-binary", "d".repeat(40_000), `${url}${small}`],
      ]);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.length > 10_000);
    },
  },
  {
    name: "nghttp",
    async visit({ port, small, big }: Visit) {
      const url = `https://127.0.0.1:${port}`;
      const { code, stderr } = await runToEnd("nghttp", [
        ...["--null-out", "--padding=32", "--no-verify-peer", "--timeout=20"],
        ...["-H", `authorization: Bearer ${TOKEN}`, "-m", "3", `${url}${small}`, `${url}${big}`],
      ]);
      assert.equal(code, 0, stderr);
    },
  },
  {
    name: "Node",
    async visit({ port, small, big }: Visit) {
      const session = await session2({ port, servername: NAME });
      try {
        await Promise.all([ask2(session, small), ask2(session, big), ask2(session, small)]);
        await ask2(session, small, { method: "POST", body: "b".repeat(100_000) });
        await new Promise((resolve) => session.ping(resolve));
        const cancelled = session.request({ ":path": big });
        cancelled.on("error", () => {});
        await once(cancelled, "response");
        const closed = once(cancelled, "close");
        cancelled.close(8);
        // A whole answer may be there already: then the stream closes only once it is read.
        cancelled.resume();
        await closed;
        session.settings({ initialWindowSize: 200_000 });
        await once(session, "localSettings");
      } finally {
        session.destroy();
      }
    },
  },
] as const;

describe("frames on one leg are frames on the other", () => {
  for (const client of clients) {
    for (const server of servers) {
      test(`${client.name} to ${server.name}`, async (t) => {
        const line = await layLine(t, server.port());
        await client.visit({ port: line.port, small: server.small, big: server.big });
        await line.gate.empty();
        const { client: near, server: far } = line.lane();
        sameFrames(toServer(framesOf(near.fromClient, true)), readable(framesOf(far.fromClient, true)));
        sameFrames(toClient(framesOf(far.fromServer)), readable(framesOf(near.fromServer)));
      });
    }
  }

  test("a header that is removed: from then on heads are written anew, all else stays", async (t) => {
    const line = await layLine(t, sandbox.port);
    const session = await session2({ port: line.port, servername: NAME });
    const before = sandbox.requests.length;
    await ask2(session, "/version");
    const claimed = session.request({
      ":path": "/version",
      "x-remote-user": "root",
      "x-forwarded-for": "6.6.6.6",
      "x-kept": "1",
    });
    await once(claimed.resume(), "end");
    await ask2(session, "/version");
    const { client: near, server: far } = line.lane();
    const others = (frames: readonly Frame[]) =>
      frames.filter(({ type }) => type !== 1 && type !== 9).map(spell);
    sameFrames(
      toServer(framesOf(near.fromClient, true)).filter((said) => !said.startsWith("HEAD")),
      others(framesOf(far.fromClient, true)),
    );
    session.destroy();
    const heads = sandbox.requests
      .slice(before)
      .map(({ headers }) => headers.map(([name, value]) => `${name}: ${value}`));
    assert.equal(heads.length, 3);
    for (const head of heads) {
      assert.deepEqual(
        head.filter((field) => /^x-(remote|forwarded)/.test(field)),
        ["x-forwarded-for: 127.0.0.1"],
      );
    }
    assert.ok(heads[1]?.includes("x-kept: 1"));
    const blocks = headerBlocks(framesOf(far.fromClient, true)).map(({ block }) => block.toString("hex"));
    assert.match(blocks[1] ?? "", /^20/, "opens with a table size of 0");
  });
});

/** All frames up to where the client left; what it said last may not have been delivered any more. */
function sameFrames(expected: readonly string[], seen: readonly string[]): void {
  assert.ok(seen.length > 1, "something passed");
  for (const [index, said] of seen.entries()) assert.equal(said, expected[index], `frame ${index}`);
  const lost = expected.slice(seen.length);
  assert.ok(
    lost.every((said) => /^(GOAWAY|WINDOW_UPDATE|RST_STREAM|SETTINGS|PING) /.test(said)),
    `lost: ${lost.map((said) => said.slice(0, 60))}`,
  );
}

const HEADERS = 1;
const SETTINGS = 4;
const CONTINUATION = 9;
/** What the gate adds to each request's block: a literal without indexing. */
const FORWARDED_FOR = `000f${Buffer.from("x-forwarded-for").toString("hex")}09${Buffer.from("127.0.0.1").toString("hex")}`;

/** The frames a server should get for these of a client. */
function toServer(frames: readonly Frame[]): string[] {
  return lines(frames, (block) => block + FORWARDED_FOR, {
    must: 2,
    edit: (setting, value) =>
      setting === 2 || setting === 8 ? 0 : setting === 1 ? Math.min(value, 65_536) : value,
    added: "000200000000",
  });
}

/** The frames a client should get for these of a server. */
function toClient(frames: readonly Frame[]): string[] {
  return lines(frames, (block) => block, {
    must: 3,
    edit: (setting, value) =>
      setting === 3
        ? Math.min(value, 250)
        : setting === 2 || setting === 8
          ? 0
          : setting === 1
            ? Math.min(value, 65_536)
            : value,
    added: "0003000000fa",
  });
}

function readable(frames: readonly Frame[]): string[] {
  return lines(frames, (block) => block, undefined);
}

interface SettingsRule {
  /** Added to the first SETTINGS where it is not there. */
  readonly must: number;
  readonly added: string;
  edit(setting: number, value: number): number;
}

/** One line a frame; a header block is one, however it was cut and padded. */
function lines(
  frames: readonly Frame[],
  block: (hex: string) => string,
  rule: SettingsRule | undefined,
): string[] {
  const blocks = headerBlocks(frames);
  let first = true;
  return frames.flatMap((frame) => {
    if (frame.type === CONTINUATION) return [];
    if (frame.type === HEADERS) {
      const head = blocks.shift();
      return [`HEAD ${frame.stream} flags ${frame.flags & 1} ${block(head?.block.toString("hex") ?? "")}`];
    }
    if (frame.type !== SETTINGS || rule === undefined || (frame.flags & 1) === 1) return [spell(frame)];
    const edited = editSettings(frame, rule, first);
    first = false;
    return [edited];
  });
}

function editSettings(frame: Frame, rule: SettingsRule, first: boolean): string {
  const payload = Buffer.from(frame.payload);
  let found = !first;
  for (let at = 0; at < payload.length; at += 6) {
    const setting = payload.readUInt16BE(at);
    if (setting === rule.must) found = true;
    payload.writeUInt32BE(rule.edit(setting, payload.readUInt32BE(at + 2)), at + 2);
  }
  return spell({ ...frame, payload }) + (found ? "" : rule.added);
}

/** The blocks of a leg, without padding and priority (RFC 9113 §6.2). */
function headerBlocks(frames: readonly Frame[]): { stream: number; block: Buffer }[] {
  const blocks: { stream: number; block: Buffer }[] = [];
  for (const { type, flags, stream, payload } of frames) {
    if (type === HEADERS) {
      const padded = (flags & 8) !== 0;
      const start = (padded ? 1 : 0) + ((flags & 0x20) === 0 ? 0 : 5);
      const end = payload.length - (padded ? (payload[0] ?? 0) : 0);
      blocks.push({ stream, block: payload.subarray(start, end) });
    } else if (type === CONTINUATION) {
      const last = blocks.at(-1);
      assert.ok(last);
      last.block = Buffer.concat([last.block, payload]);
    }
  }
  return blocks;
}
