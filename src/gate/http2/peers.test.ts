import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as http2 from "node:http2";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { framesOf, spell, startGate, type TestGate } from "./testing/loopback.ts";
import { misdirected } from "./testing/scripted.ts";

// Real clients and servers, whose HTTP/2 is not ours: curl, nghttp and h2load (nghttp2), nginx, Node.

test("curl gets through to Node, and prints the gate's 421", async () => {
  await withNode(async (port) => {
    await withGate(port, async (gate) => {
      const url = `http://127.0.0.1:${gate.port}`;
      const curl = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--max-time", "20"];
      assert.equal(await output([...curl, `${url}/hello`]), "GET /hello 192.0.2.7");
      const body = "b".repeat(200_000);
      const sent = await output([...curl, "--data-binary", "@-", `${url}/echo`], body);
      assert.equal(sent, body);
      const refused = [...curl, "-H", "Host: other.example.com", "--write-out", "%{http_code}"];
      assert.match(await output([...refused, `${url}/x`]), /"code":421\}\n421$/);
      const big = await output([...refused, "--data-binary", "@-", `${url}/x`], "c".repeat(500_000));
      assert.match(big, /"code":421\}\n421$/);
    });
  });
});

test("nghttp gets through to nginx with its priorities and padding, and nginx' frames come back as they are", async () => {
  await withNginx(async (port) => {
    await withGate(port, async (gate) => {
      const url = `http://127.0.0.1:${gate.port}`;
      const out = await output(["nghttp", "--padding=64", "--timeout=20", `${url}/hello`, `${url}/large`]);
      assert.equal(out.length, "hello\n".length + 300_000);
      const [recording] = gate.recordings;
      assert.ok(recording);
      const answered = framesOf(recording.fromServer).map(spell);
      const relayed = framesOf(recording.toClient).map(spell);
      assert.deepEqual(relayed, answered, "nginx announces its own cap, so that nothing is edited");
      const sent = framesOf(recording.fromClient, true);
      const received = framesOf(recording.toServer, true);
      assert.deepEqual(
        received.map(({ type, stream }) => [type, stream]),
        sent.map(({ type, stream }) => [type, stream]),
      );
      assert.ok(sent.some(({ type, flags }) => type === 1 && (flags & 0x28) !== 0));
    });
  });
});

test("h2load: many streams on many lanes, none fails", async () => {
  await withNginx(async (port) => {
    await withGate(port, async (gate) => {
      const out = await output(["h2load", "-n2000", "-c4", "-m32", `http://127.0.0.1:${gate.port}/hello`]);
      assert.match(
        out,
        /2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/,
      );
      assert.equal(gate.events.filter(({ kind }) => kind === "request").length, 2_000);
      assert.ok(gate.events.every((event) => event.kind !== "request" || event.termination === "----"));
    });
  });
});

test("Node: refusals and resets among many streams leave the others whole", async () => {
  await withNode(async (port) => {
    await withGate(port, async (gate) => {
      const client = http2.connect(`http://127.0.0.1:${gate.port}`);
      try {
        const asked = Array.from({ length: 120 }, (_, at) => {
          switch (at % 4) {
            case 0:
              return exchange(client, { ":path": `/n${at}` }).then((seen) =>
                assert.deepEqual(seen, [200, `GET /n${at} 192.0.2.7`]),
              );
            case 1:
              return exchange(client, { ":path": "/x", ":authority": "other.example.com" }).then(([status]) =>
                assert.equal(status, 421),
              );
            case 2:
              return exchange(client, { ":path": "/echo", ":method": "POST" }, `${at}`.repeat(9_000)).then(
                (seen) => assert.deepEqual(seen, [200, `${at}`.repeat(9_000)]),
              );
            default:
              return aborted(client);
          }
        });
        await Promise.all(asked);
        assert.equal(gate.recordings.length, 1, "all on one lane");
        assert.equal(gate.relays[0]?.openRequests, 0);
      } finally {
        client.destroy();
      }
    });
  });
});

test("Node: a lane is drained while a stream goes on", async () => {
  await withNode(async (port) => {
    await withGate(port, async (gate) => {
      const client = http2.connect(`http://127.0.0.1:${gate.port}`);
      const watch = client.request({ ":path": "/watch", ":method": "POST" });
      await once(watch, "data");
      const goaway = once(client, "goaway");
      const closed = once(client, "close");
      gate.relays[0]?.drain();
      await goaway;
      watch.write("finish");
      watch.end();
      await once(watch, "end");
      await closed;
      const goaways = framesOf(gate.recordings[0]?.toClient ?? []).filter(({ type }) => type === 7);
      const lastIds = goaways.map(({ payload }) => payload.readUInt32BE(0));
      // A third is the server's own, in answer to the client's.
      assert.deepEqual(lastIds.slice(0, 2), [2 ** 31 - 1, 1]);
      assert.deepEqual(
        lastIds,
        [...lastIds].sort((a, b) => b - a),
      );
    });
  });
});

test("Node: without a server each request has its Status, also one with a large body", async () => {
  await withGate(undefined, async (gate) => {
    const client = http2.connect(`http://127.0.0.1:${gate.port}`);
    client.on("error", () => {});
    const closed = once(client, "close");
    const [status, body] = await exchange(
      client,
      { ":path": "/api/v1/pods", ":method": "POST" },
      "x".repeat(300_000),
    );
    assert.equal(status, 503);
    assert.equal(JSON.parse(body).reason, "ServiceUnavailable");
    await closed;
  });
});

/** Status and body. */
async function exchange(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string,
): Promise<[number, string]> {
  const request = client.request(headers, { endStream: body === undefined });
  let status = 0;
  request.on("response", (head) => {
    status = head[":status"] ?? 0;
  });
  if (body !== undefined) request.end(body);
  let text = "";
  for await (const chunk of request) text += chunk;
  return [status, text];
}

async function aborted(client: http2.ClientHttp2Session): Promise<void> {
  const request = client.request({ ":path": "/watch" });
  request.on("error", () => {});
  await once(request, "data");
  request.close(http2.constants.NGHTTP2_CANCEL);
  await once(request, "close");
}

async function withGate(
  serverPort: number | undefined,
  run: (gate: TestGate) => Promise<void>,
): Promise<void> {
  const gate = await startGate(serverPort, { guards: [misdirected] });
  try {
    await run(gate);
  } finally {
    gate.close();
  }
}

async function withNode(run: (port: number) => Promise<void>): Promise<void> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    switch (headers[":path"]) {
      case "/echo":
        stream.pipe(stream);
        return;
      case "/watch":
        stream.write("event");
        stream.on("data", () => stream.end());
        return;
      default:
        stream.end(`${headers[":method"]} ${headers[":path"]} ${headers["x-forwarded-for"]}`);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await run(portOf(server));
  } finally {
    for (const session of sessions) session.destroy();
    server.close();
  }
}

async function withNginx(run: (port: number) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "postern-nginx-"));
  const port = await freePort();
  writeFileSync(join(folder, "hello"), "hello\n");
  writeFileSync(join(folder, "large"), "l".repeat(300_000));
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr error;
     events { worker_connections 64; }
     http { access_log off; ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
            server { listen 127.0.0.1:${port} http2; root ${folder}; } }`,
  );
  const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "inherit" });
  try {
    await reachable(port);
    await run(port);
  } finally {
    const gone = once(nginx, "close");
    nginx.kill("SIGTERM");
    await gone;
    rmSync(folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

function portOf(server: net.Server | http2.Http2Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = net.connect(port, "127.0.0.1");
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`nothing listens on ${port}`);
}

/** What a program prints; its exit code must be 0. */
async function output([command = "", ...args]: readonly string[], input = ""): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  let problems = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    problems += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${problems}`);
  return out;
}
