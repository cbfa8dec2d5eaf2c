import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeadSeen } from "../../events/index.ts";
import type { Guard } from "../../policy/guard.ts";
import { everySplit } from "../../wire/testing.ts";
import { FakeConnection } from "../testing.ts";
import { CHUNKED, GET, OK, scene, serverOf, turn } from "./testing.ts";

describe("one request after the other", () => {
  test("heads and bodies pass untouched, wherever the bytes are cut", () => {
    const post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    everySplit(post, (chunks, how) => {
      const { lane, relay, server } = scene();
      for (const chunk of chunks) relay.clientData(chunk);
      assert.equal(serverOf(lane).text, post, how);
      server(OK);
      assert.equal(lane.client.text, OK, how);
      assert.equal(lane.over, undefined, how);
    });
    everySplit(`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, (chunks, how) => {
      const s = scene();
      s.client(GET);
      for (const chunk of chunks) s.relay.serverData(chunk);
      assert.equal(s.lane.client.text, `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, how);
      assert.deepEqual(s.told, ["200 ---- GET /api/v1/pods"], how);
    });
  });

  test("a whole request leaves in one write, a whole answer as the buffer it came in", () => {
    const { lane, client, relay } = scene({ forwardedFor: "192.0.2.7" });
    client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert.deepEqual(serverOf(lane).written.map(String), [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.7\r\n\r\nabc",
    ]);
    const answer = Buffer.from(OK);
    relay.serverData(answer);
    assert.equal(lane.client.written.length, 1);
    assert.equal(lane.client.written[0], answer);
  });

  test("a second request uses the same two connections", () => {
    const s = scene();
    for (const path of ["/a", "/b"]) {
      s.client(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      s.server(OK);
    }
    assert.deepEqual(s.told, ["200 ---- GET /a", "200 ---- GET /b"]);
    assert.equal(s.lane.client.text, OK + OK);
    assert.equal(s.lane.redialled, 0);
  });

  test("requests sent ahead wait for their turn, the client paused", () => {
    everySplit(`${GET}${GET}${GET}`, (chunks, how) => {
      const s = scene();
      for (const chunk of chunks) s.relay.clientData(chunk);
      assert.equal(serverOf(s.lane).text, GET, how);
      assert.ok(s.lane.client.paused, how);
      s.server(OK);
      assert.equal(serverOf(s.lane).text, GET + GET, how);
      s.server(OK);
      s.server(OK);
      assert.equal(serverOf(s.lane).text, GET + GET + GET, how);
      assert.ok(!s.lane.client.paused, how);
      assert.equal(s.told.length, 3, how);
    });
  });

  test("a client that sends ahead without end is cut", () => {
    const s = scene();
    s.client(GET);
    for (let i = 0; i < 5; i++) s.client("x".repeat(65_536));
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["-1 PR-- GET /api/v1/pods"]);
  });

  test("an answer to HEAD and a 304 have no body", () => {
    const s = scene();
    s.client("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    s.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    s.client(GET);
    s.server("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n");
    assert.deepEqual(s.told, ["200 ---- HEAD /", "304 ---- GET /api/v1/pods"]);
    assert.equal(s.lane.over, undefined);
  });

  test("100 Continue passes before the answer, and the body then", () => {
    const s = scene();
    s.client("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    s.server("HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(s.lane.client.text, "HTTP/1.1 100 Continue\r\n\r\n");
    s.client("abc");
    s.server(OK);
    assert.deepEqual(s.told, ["200 ---- POST /"]);
  });

  test("an answer before the request is complete is passed on, and the request goes on", () => {
    const s = scene();
    s.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    s.server(OK);
    assert.equal(s.lane.client.text, OK);
    assert.deepEqual(s.told, []);
    s.client("bc");
    assert.deepEqual(s.told, ["200 ---- POST /"]);
    assert.equal(s.lane.over, undefined);
  });

  test("a server that answers early and closes ends the lane after its answer", () => {
    const s = scene();
    s.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    s.server("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    s.relay.serverEnd();
    assert.deepEqual(s.told, ["413 ---- POST /"]);
    assert.equal(s.lane.over, "close");
  });

  for (const [who, request, answer] of [
    ["the client", GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"), OK],
    ["the server", GET, OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")],
    ["an HTTP/1.0 client", "GET / HTTP/1.0\r\n\r\n", OK],
    ["an HTTP/1.0 server", GET, OK.replace("1.1", "1.0")],
  ] as const) {
    test(`the lane ends in order when ${who} does not keep the connection`, () => {
      const s = scene();
      s.client(request);
      s.server(answer);
      assert.equal(s.lane.client.text, answer);
      assert.equal(s.lane.over, "close");
    });
  }

  test("numbers are HAProxy's: times from the first byte, bytes of both sides", () => {
    const s = scene();
    s.client(GET.slice(0, 10));
    s.lane.nowMs += 5;
    s.client(GET.slice(10));
    s.lane.nowMs += 20;
    s.server(OK.slice(0, -1));
    s.lane.nowMs += 3;
    s.server(OK.slice(-1));
    const [event] = s.ended;
    assert.ok(event);
    assert.equal(event.startedAtMs, 1_790_000_001_000);
    assert.deepEqual([event.headMs, event.responseMs, event.totalMs], [5, 20, 28]);
    assert.deepEqual([event.bytesFromClient, event.bytesToClient], [GET.length, OK.length]);
    assert.deepEqual(
      [event.authority, event.userAgent, event.version],
      ["api.example.com", "kubectl/v1.35", "HTTP/1.1"],
    );
  });
});

describe("answers of the gate", () => {
  const deny: Guard = (ask) =>
    ask.target === "/denied"
      ? { kind: "refuse", reason: "denied", message: "not for you" }
      : { kind: "pass" };

  test("a guard's no is a Status, and the connection goes on", () => {
    const s = scene({ guards: [deny] });
    s.client("GET /denied HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(s.lane.client.text, /^HTTP\/1\.1 403 Forbidden\r\ncontent-type: application\/json\r\n/);
    assert.match(s.lane.client.text, /"message":"not for you"/);
    assert.doesNotMatch(s.lane.client.text, /connection: close/);
    assert.equal(serverOf(s.lane).text, "");
    s.client(GET);
    s.server(OK);
    assert.deepEqual(s.told, ["403 PR-- GET /denied", "200 ---- GET /api/v1/pods"]);
  });

  test("a guard's no to a request whose body is to come ends the lane", () => {
    const s = scene({ guards: [deny] });
    s.client("POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    assert.match(s.lane.client.text, /connection: close\r\n/);
    assert.equal(s.lane.over, "close");
  });

  test("a client that asks what is refused and does not read is not answered for ever", () => {
    const s = scene({ guards: [deny] });
    s.lane.client.pendingBytes = 20_000;
    s.client("GET /denied HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(s.lane.client.text, /connection: close\r\n/);
    assert.equal(s.lane.over, "close");
  });

  test("an answer to HEAD has the length and no body", () => {
    const s = scene({ guards: [deny] });
    s.client("HEAD /denied HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(s.lane.client.text, /content-length: \d+\r\n[\s\S]*\r\n\r\n$/);
  });

  test("the length told is the body's", () => {
    const s = scene({ guards: [deny] });
    s.client("GET /denied HTTP/1.1\r\nHost: a\r\n\r\n");
    const [head = "", body = ""] = s.lane.client.text.split("\r\n\r\n");
    assert.equal(Number(/content-length: (\d+)/.exec(head)?.[1]), body.length);
  });

  for (const [rule, bytes, status, told] of [
    ["a bad request", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "400 PR-- - -"],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "405 PR-- CONNECT a:443"],
    ["a huge head", `GET / HTTP/1.1\r\nHost: a\r\nA: ${"x".repeat(70_000)}`, 431, "431 PR-- - -"],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      400,
      "400 PR-- - -",
    ],
  ] as const) {
    test(`${rule} is answered ${status} and reaches no server`, () => {
      const s = scene();
      s.client(bytes);
      assert.ok(s.lane.client.text.startsWith(`HTTP/1.1 ${status} `), s.lane.client.text);
      assert.match(s.lane.client.text, /connection: close\r\n/);
      assert.equal(serverOf(s.lane).text, "");
      assert.deepEqual(s.told, [told]);
      assert.equal(s.lane.over, "close");
    });
  }

  test("the sentence names what is wrong", () => {
    const s = scene();
    s.client("GET / HTTP/1.1\nHost: a\r\n\r\n");
    assert.match(s.lane.client.text, /a line ends in LF without CR/);
  });

  test("a bad chunk ends the request for both sides", () => {
    const s = scene();
    s.client("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    s.client("5;x\r\nhello\r\n0\r\n\r\n");
    assert.match(s.lane.client.text, /^HTTP\/1\.1 400 /);
    assert.ok(serverOf(s.lane).destroyed);
    assert.deepEqual(s.told, ["400 PR-- POST /"]);
  });

  test("without a server, 503 with the reason; text on /api, which kubectl shows", () => {
    for (const [path, status] of [
      ["/api/v1/pods", 503],
      ["/api", 502],
    ] as const) {
      const s = scene({ server: undefined, noServer: "dial_refused" });
      s.client(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      assert.ok(s.lane.client.text.startsWith(`HTTP/1.1 ${status} `));
      assert.match(s.lane.client.text, /refuses connections from the gate/);
      assert.deepEqual(s.told, [`${status} SC-- GET ${path}`]);
      assert.equal(s.lane.over, "close");
    }
  });
});

describe("upgrades", () => {
  const UPGRADE =
    "POST /exec HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
  const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

  test("101 makes a tunnel; bytes behind the heads go first", () => {
    everySplit(`${SWITCHED}server`, (chunks, how) => {
      const s = scene();
      s.client(`${UPGRADE}client`);
      assert.equal(serverOf(s.lane).text, UPGRADE, how);
      let early = "";
      for (const chunk of chunks) {
        if (s.lane.tunnel === undefined) s.relay.serverData(chunk);
        else early += chunk.toString();
      }
      assert.equal(s.lane.client.text, SWITCHED, how);
      assert.ok(s.lane.tunnel, how);
      assert.equal(`${s.lane.tunnel.toClient?.toString() ?? ""}${early}`, "server", how);
      assert.equal(s.lane.tunnel.toServer?.toString(), "client", how);
      assert.deepEqual(s.told, [], how);
    });
  });

  test("the request is told when the tunnel ends", () => {
    const s = scene();
    s.client(UPGRADE);
    s.server(SWITCHED);
    s.lane.tunnel?.end({ bytesToClient: 10, bytesToServer: 20, termination: "cD", reason: "tunnel_idle" });
    assert.deepEqual(s.told, ["101 cD-- POST /exec upgraded"]);
    assert.equal(s.ended[0]?.bytesToClient, SWITCHED.length + 10);
    assert.equal(s.ended[0]?.bytesFromClient, UPGRADE.length + 20);
  });

  test("a denied upgrade stays HTTP, and the lane goes on", () => {
    const s = scene();
    s.client(UPGRADE);
    s.server("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}");
    s.client(GET);
    s.server(OK);
    assert.deepEqual(s.told, ["403 ---- POST /exec", "200 ---- GET /api/v1/pods"]);
    assert.equal(s.lane.tunnel, undefined);
  });

  test("a 101 that nobody asked for is a bad answer", () => {
    const s = scene();
    s.client(GET);
    s.server(SWITCHED);
    assert.match(s.lane.client.text, /^HTTP\/1\.1 502 /);
    assert.deepEqual(s.told, ["502 PH-- GET /api/v1/pods"]);
  });
});

describe("backpressure", () => {
  test("a slow client pauses the server until it drained", () => {
    const s = scene();
    s.client(GET);
    s.lane.client.hasRoom = false;
    s.server(`${CHUNKED}1\r\na\r\n`);
    assert.ok(serverOf(s.lane).paused);
    s.lane.client.hasRoom = true;
    s.relay.clientDrain();
    assert.ok(!serverOf(s.lane).paused);
  });

  test("a server dialled anew waits for a client that has not read the answer before", async () => {
    const s = scene();
    s.client(GET);
    s.lane.client.hasRoom = false;
    s.server(OK);
    const half = GET.length / 2;
    s.client(GET.slice(0, half));
    s.relay.serverClosed(undefined);
    const again = new FakeConnection("10.1.0.12", 6443);
    s.lane.redials.push(again);
    s.client(GET.slice(half));
    await turn();
    assert.match(again.text, /^GET /);
    assert.ok(again.paused);
    s.relay.clientDrain();
    assert.ok(!again.paused);
  });

  test("a slow server pauses the client until it drained", () => {
    const s = scene();
    serverOf(s.lane).hasRoom = false;
    s.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    assert.ok(s.lane.client.paused);
    s.relay.serverDrain();
    assert.ok(!s.lane.client.paused);
  });

  test("a client paused for sending ahead stays paused when the server drained", () => {
    const s = scene();
    serverOf(s.lane).hasRoom = false;
    s.client(GET + GET);
    s.relay.serverDrain();
    assert.ok(s.lane.client.paused);
  });
});

describe("drain and abort", () => {
  test("a lane between requests closes", () => {
    const s = scene();
    s.client(GET);
    s.server(OK);
    s.relay.drain();
    assert.equal(s.lane.over, "close");
  });

  test("an answer under way says Connection: close in the server's place, and the lane ends with it", () => {
    for (const line of ["", "Connection: keep-alive\r\n"]) {
      const s = scene();
      s.client(GET);
      s.relay.drain();
      s.server(`HTTP/1.1 200 OK\r\n${line}Content-Length: 2\r\n\r\n{}`);
      assert.equal(s.lane.client.text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
      assert.equal(s.lane.over, "close");
    }
  });

  test("a client that has not asked yet is answered once", () => {
    const s = scene();
    s.relay.drain();
    assert.equal(s.lane.over, undefined);
    s.client(GET);
    s.server(OK);
    assert.match(s.lane.client.text, /Connection: close/);
    assert.equal(s.lane.over, "close");
  });

  test("abort tells an open request, and nothing where there is none", () => {
    const open = scene();
    open.client(GET);
    open.relay.abort("stopping");
    assert.deepEqual(open.told, ["-1 K--- GET /api/v1/pods"]);
    assert.equal(open.lane.over, "destroy");
    const idle = scene();
    idle.relay.abort("stopping");
    assert.deepEqual(idle.told, []);
  });
});

test("debug tells both heads without their secrets", () => {
  const s = scene({ debug: true });
  s.client(
    "GET /a?token=SECRET1&x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer SECRET2\r\nCookie: SECRET3\r\nX-Remote-User: SECRET4\r\nSec-WebSocket-Protocol: v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.U0VDUkVUNQ\r\nProxy-Authorization: SECRET6\r\nAccept: b\r\n\r\n",
  );
  s.server("HTTP/1.1 200 OK\r\nSet-Cookie: SECRET7\r\nContent-Length: 0\r\n\r\n");
  const heads = s.lane.events.filter((event): event is HeadSeen => event.kind === "head");
  assert.equal(heads.length, 2);
  const text = heads.map((head) => head.lines.join("\n")).join("\n");
  assert.doesNotMatch(text, /SECRET|U0VDUkVUNQ/);
  assert.match(text, /^GET \/a\?token=\S+&x=1 HTTP\/1\.1\nHost: a\nAuthorization: <redacted>/);
  assert.match(text, /Accept: b\nHTTP\/1\.1 200 OK\nSet-Cookie: <redacted>/);
});
