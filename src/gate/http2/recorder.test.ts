import assert from "node:assert/strict";
import { once } from "node:events";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { framesOf, spell, startGate, type TestGate } from "./testing/loopback.ts";

/** A literal without indexing, name of its own: what the gate adds to each request's block. */
const FORWARDED_FOR = Buffer.concat([
  Buffer.from([0x00, 15]),
  Buffer.from("x-forwarded-for"),
  Buffer.from([9]),
  Buffer.from("192.0.2.7"),
]).toString("hex");
const ENABLE_PUSH_OFF = "000200000000";
const STREAMS_CAP = "0003000000fa";

test("Node to Node: every frame on one leg is on the other, but for the listed edits", async () => {
  await withGate(echo(), async (gate, client) => {
    await ask(client, { ":path": "/api/v1/pods?limit=500", authorization: `Bearer ${"t".repeat(1_200)}` });
    await ask(client, { ":path": "/api/v1/pods?limit=500", authorization: `Bearer ${"t".repeat(1_200)}` });
    const bodies = await Promise.all([
      ask(client, { ":path": "/large" }),
      ask(client, { ":method": "POST", ":path": "/echo" }, Buffer.alloc(300_000, "b")),
      ask(client, { ":path": "/trailers" }),
      ask(client, { ":path": "/early-hints" }),
    ]);
    assert.deepEqual(
      bodies.map((body) => body.length),
      [1_000_000, 300_000, 2, 2],
    );
    await new Promise((resolve) => client.ping(resolve));
    await cancelled(client);
    client.settings({ initialWindowSize: 100_000 });
    await once(client, "localSettings");
    const [recording] = gate.recordings;
    assert.ok(recording);

    const sent = framesOf(recording.fromClient, true).map(spell);
    const received = framesOf(recording.toServer, true).map(spell);
    assert.equal(received.length, sent.length);
    sent.forEach((line, index) => {
      const edited = line.startsWith("HEADERS")
        ? line + FORWARDED_FOR
        : index === 0 && !line.includes("0002000000")
          ? line + ENABLE_PUSH_OFF
          : line.replace("000200000001", ENABLE_PUSH_OFF);
      assert.equal(received[index], edited);
    });

    const answered = framesOf(recording.fromServer).map(spell);
    const relayed = framesOf(recording.toClient).map(spell);
    assert.equal(relayed.length, answered.length);
    answered.forEach((line, index) => {
      assert.equal(relayed[index], index === 0 ? line + STREAMS_CAP : line);
    });
    for (const name of ["DATA", "HEADERS", "RST_STREAM", "SETTINGS", "PING", "WINDOW_UPDATE"]) {
      assert.ok(
        [...sent, ...answered].some((line) => line.startsWith(name)),
        `saw ${name}`,
      );
    }
  });
});

/** What the tests ask of the server behind the gate. */
function echo(): http2.Http2Server {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    switch (headers[":path"]) {
      case "/large":
        stream.respond({ ":status": 200 });
        stream.end(Buffer.alloc(1_000_000, "a"));
        return;
      case "/echo":
        stream.respond({ ":status": 201 });
        stream.pipe(stream);
        return;
      case "/trailers":
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
        stream.end("ok");
        return;
      case "/early-hints":
        stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
        stream.respond({ ":status": 200 });
        stream.end("ok");
        return;
      case "/watch":
        stream.respond({ ":status": 200 });
        stream.write("event\n");
        return;
      default:
        stream.respond({ ":status": 200, "content-type": "application/json" });
        stream.end("x".repeat(1_000));
    }
  });
  return server;
}

async function ask(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
): Promise<Buffer> {
  const request = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) request.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function cancelled(client: http2.ClientHttp2Session): Promise<void> {
  const request = client.request({ ":path": "/watch" });
  request.on("error", () => {});
  await once(request, "data");
  request.close(http2.constants.NGHTTP2_CANCEL);
  await once(request, "close");
}

async function withGate(
  server: http2.Http2Server,
  run: (gate: TestGate, client: http2.ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const gate = await startGate((server.address() as AddressInfo).port);
  const client = http2.connect(`http://127.0.0.1:${gate.port}`);
  try {
    await run(gate, client);
  } finally {
    client.destroy();
    gate.close();
    for (const session of sessions) session.destroy();
    server.close();
  }
}
