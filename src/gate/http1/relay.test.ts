import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeadSeen, RequestEnded } from "../../events/index.ts";
import type { Guard } from "../../policy/guard.ts";
import { everySplit, everySplitAsync } from "../../wire/testing.ts";
import type { Relay, RelayContext, RelayTimeouts } from "../relay.ts";
import { FakeConnection, FakeLane } from "../testing.ts";
import { createHttp1Relay } from "./relay.ts";

const GET = "GET /api/v1/pods HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: kubectl/v1.35\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TIMEOUTS: RelayTimeouts = {
  clientMs: 500,
  serverMs: 400,
  httpRequestMs: 100,
  httpKeepAliveMs: 200,
  tunnelMs: undefined,
  clientFinMs: 50,
  serverFinMs: undefined,
};

interface Scene {
  readonly lane: FakeLane;
  readonly relay: Relay;
  /** The client, then the server, say something. */
  client(text: string): void;
  server(text: string): void;
  /** What was told of requests, in short: `200 ---- GET /`. */
  readonly told: readonly string[];
  readonly ended: readonly RequestEnded[];
}

function scene(options: Partial<RelayContext> = {}): Scene {
  const lane = new FakeLane(options);
  if ("server" in options && options.server === undefined) lane.server = undefined;
  const relay = createHttp1Relay(lane);
  const ended = () => lane.events.filter((event) => event.kind === "request");
  return {
    lane,
    relay,
    client: (text) => relay.clientData(Buffer.from(text, "latin1")),
    server: (text) => relay.serverData(Buffer.from(text, "latin1")),
    get ended() {
      return ended();
    },
    get told() {
      return ended().map(
        (event) =>
          `${event.status} ${event.termination} ${event.method ?? "-"} ${event.target ?? "-"}${event.upgraded ? " upgraded" : ""}`,
      );
    },
  };
}

function serverOf(lane: FakeLane): FakeConnection {
  assert.ok(lane.server);
  return lane.server;
}

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

describe("head edits", () => {
  const ROWS: readonly { readonly rule: string; readonly lines: string; readonly passes: string }[] = [
    {
      rule: "identity and forwarding headers of a client are removed",
      lines:
        "X-Remote-User: root\r\nx-remote-group: system:masters\r\nAccept: a\r\nX-REMOTE-EXTRA-Scopes: b\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-Ip: 1.2.3.4\r\n",
      passes: "Accept: a\r\n",
    },
    {
      rule: "other X- headers pass",
      lines: "X-Foo: bar\r\nFrom: me\r\nx_custom: 1\r\n",
      passes: "X-Foo: bar\r\nFrom: me\r\nx_custom: 1\r\n",
    },
    {
      rule: "hop-by-hop headers of old clients are removed",
      lines: "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nA: b\r\n",
      passes: "A: b\r\n",
    },
    {
      rule: "TE: trailers passes",
      lines: "TE: trailers\r\nConnection: TE\r\n",
      passes: "TE: trailers\r\nConnection: TE\r\n",
    },
    {
      rule: "Connection: close and keep-alive pass",
      lines: "Connection: keep-alive\r\n",
      passes: "Connection: keep-alive\r\n",
    },
    {
      rule: "headers that Connection names are removed with their mention",
      lines: "Connection: X-Hop, y-hop\r\nX-Hop: 1\r\nA: b\r\ny-hop: 2\r\n",
      passes: "A: b\r\n",
    },
    {
      rule: "a Connection line that also says close stays",
      lines: "Connection: close, X-Hop\r\nX-Hop: 1\r\n",
      passes: "Connection: close, X-Hop\r\n",
    },
    {
      rule: "a Connection line cannot take the request line away",
      lines: "Connection: get / http/1.1\r\n",
      passes: "",
    },
    {
      rule: "an upgrade to h2c is not passed on",
      lines: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
      passes: "",
    },
    {
      rule: "an Upgrade that Connection does not name is removed",
      lines: "Upgrade: websocket\r\n",
      passes: "",
    },
    {
      rule: "a WebSocket upgrade passes as it is",
      lines: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
      passes: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    },
    {
      rule: "X-Stream-Protocol-Version on five lines stays five lines (kubectl 1.20 exec)",
      lines: [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v3.channel.k8s.io",
        "v2.channel.k8s.io",
        "channel.k8s.io",
      ]
        .map((version) => `X-Stream-Protocol-Version: ${version}\r\n`)
        .join(""),
      passes: [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v3.channel.k8s.io",
        "v2.channel.k8s.io",
        "channel.k8s.io",
      ]
        .map((version) => `X-Stream-Protocol-Version: ${version}\r\n`)
        .join(""),
    },
  ];
  for (const row of ROWS) {
    test(row.rule, () => {
      everySplit(`GET / HTTP/1.1\r\nHost: a\r\n${row.lines}\r\n`, (chunks, how) => {
        const { lane, relay } = scene({ forwardedFor: "192.0.2.7" });
        for (const chunk of chunks) relay.clientData(chunk);
        assert.equal(
          serverOf(lane).text,
          `GET / HTTP/1.1\r\nHost: a\r\n${row.passes}X-Forwarded-For: 192.0.2.7\r\n\r\n`,
          how,
        );
      });
    });
  }

  for (const name of [
    "Authorization",
    "host",
    "Content-Length",
    "Transfer-Encoding",
    "X-Remote-User",
    "Impersonate-User",
    "Sec-WebSocket-Protocol",
    "Cookie",
  ]) {
    test(`Connection must not name ${name}`, () => {
      const s = scene();
      s.client(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close, ${name}\r\n\r\n`);
      assert.equal(serverOf(s.lane).text, "");
      assert.deepEqual(s.told, ["400 PR-- GET /"]);
    });
  }

  test("x_remote_user is refused: some servers read it as X-Remote-User", () => {
    const s = scene();
    s.client("GET / HTTP/1.1\r\nHost: a\r\nx_remote_user: root\r\n\r\n");
    assert.match(s.lane.client.text, /^HTTP\/1\.1 400 /);
    assert.equal(serverOf(s.lane).text, "");
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

describe("a server that leaves", () => {
  test("between requests: the client's connection closes too", () => {
    const s = scene();
    s.client(GET);
    s.server(OK);
    s.relay.serverEnd();
    assert.equal(s.lane.over, "close");
    assert.equal(s.told.length, 1);
  });

  test("before the first request: another is dialled when it comes", async () => {
    const s = scene();
    s.relay.serverEnd();
    s.relay.serverClosed(undefined);
    assert.equal(s.lane.over, undefined);
    s.lane.redials.push(new FakeConnection("10.1.0.12", 6443));
    const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc";
    s.client(post);
    assert.ok(s.lane.client.paused);
    s.client("def");
    await turn();
    assert.equal(serverOf(s.lane).text, `${post}def`);
    assert.ok(!s.lane.client.paused);
    s.server(OK);
    assert.deepEqual(s.told, ["200 ---- POST /"]);
  });

  test("a GET without a byte of an answer is repeated, once", async () => {
    await everySplitAsync(GET, async (chunks, how) => {
      const s = scene();
      s.lane.redials.push(new FakeConnection("10.1.0.12", 6443), new FakeConnection("10.1.0.13", 6443));
      for (const chunk of chunks) s.relay.clientData(chunk);
      s.relay.serverClosed("ECONNRESET");
      await turn();
      assert.equal(serverOf(s.lane).text, GET, how);
      s.relay.serverClosed("ECONNRESET");
      await turn();
      assert.equal(s.lane.redialled, 1, how);
      assert.deepEqual(s.told, ["502 SH-- GET /api/v1/pods"], how);
    });
  });

  test("a repeated GET is answered as if nothing had been", async () => {
    const s = scene();
    s.lane.redials.push(new FakeConnection("10.1.0.12", 6443));
    s.client(GET + GET);
    s.relay.serverEnd();
    await turn();
    s.server(OK);
    s.server(OK);
    assert.deepEqual(s.told, ["200 ---- GET /api/v1/pods", "200 ---- GET /api/v1/pods"]);
    assert.equal(serverOf(s.lane).text, GET + GET);
  });

  test("without another server the GET is answered 503", async () => {
    const s = scene();
    s.client(GET);
    s.relay.serverEnd();
    await turn();
    assert.deepEqual(s.told, ["503 SC-- GET /api/v1/pods"]);
  });

  for (const [rule, request] of [
    ["a POST is never repeated", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"],
    ["a GET with a body is not repeated", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"],
    [
      "a request that is not complete is not repeated",
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
    ],
  ] as const) {
    test(`${rule}: 502, which says that it may have been carried out`, () => {
      const s = scene();
      s.client(request);
      s.relay.serverEnd();
      assert.equal(s.lane.redialled, 0);
      assert.match(s.lane.client.text, /^HTTP\/1\.1 502 [\s\S]*may have been carried out/);
      assert.equal(s.told[0]?.slice(0, 8), "502 SH--");
    });
  }

  test("a GET that was answered in part is not repeated", () => {
    const s = scene();
    s.client(GET);
    s.server("HTTP/1.1 2");
    s.relay.serverEnd();
    assert.equal(s.lane.redialled, 0);
    assert.deepEqual(s.told, ["502 SH-- GET /api/v1/pods"]);
  });

  for (const [rule, answer] of [
    ["a counted body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
    ["chunks", `${CHUNKED}5\r\nhello\r\n`],
  ] as const) {
    test(`in the middle of ${rule}: the client is cut, never given a clean end`, () => {
      const s = scene();
      s.client(GET);
      s.server(answer);
      s.relay.serverEnd();
      assert.equal(s.lane.over, "destroy");
      assert.deepEqual(s.told, ["200 SD-- GET /api/v1/pods"]);
    });
  }

  test("FIN ends a body that has no other end; a reset does not", () => {
    for (const [code, over, state] of [
      [undefined, "close", "----"],
      ["ECONNRESET", "destroy", "SD--"],
    ] as const) {
      const s = scene();
      s.client(GET);
      s.server("HTTP/1.1 200 OK\r\n\r\nabc");
      s.relay.serverClosed(code);
      assert.equal(s.lane.over, over);
      assert.deepEqual(s.told, [`200 ${state} GET /api/v1/pods`]);
    }
  });

  test("bytes behind an answer reach nobody and end the lane", () => {
    const s = scene();
    s.client(GET);
    s.server(`${OK}HTTP/1.1 200 OK\r\n\r\nsecond`);
    assert.equal(s.lane.client.text, OK);
    assert.equal(s.lane.over, "close");
  });

  test("bytes between requests reach nobody and end the lane", () => {
    const s = scene();
    s.client(GET);
    s.server(OK);
    s.server("HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert.equal(s.lane.client.text, OK);
    assert.equal(s.lane.over, "close");
    assert.ok(serverOf(s.lane).destroyed);
  });

  test("an answer that is no HTTP is answered 502", () => {
    const s = scene();
    s.client(GET);
    s.server("SSH-2.0-OpenSSH_9.2\r\n");
    assert.deepEqual(s.told, ["502 PH-- GET /api/v1/pods"]);
    assert.ok(serverOf(s.lane).destroyed);
  });

  test("an answer that turns bad in its body is cut", () => {
    const s = scene();
    s.client(GET);
    s.server(CHUNKED);
    s.server("zz\r\n");
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["200 PD-- GET /api/v1/pods"]);
  });
});

describe("a client that leaves", () => {
  test("between requests: the lane closes, nothing is told", () => {
    const s = scene();
    s.client(GET);
    s.server(OK);
    s.relay.clientEnd();
    assert.equal(s.lane.over, "close");
    assert.equal(s.told.length, 1);
  });

  test("FIN in a head: 400", () => {
    const s = scene();
    s.client("GET / HT");
    s.relay.clientEnd();
    assert.match(s.lane.client.text, /^HTTP\/1\.1 400 /);
    assert.deepEqual(s.told, ["400 CR-- - -"]);
  });

  test("FIN in a body: the server never sees the request complete", () => {
    const s = scene();
    s.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    s.relay.clientEnd();
    assert.ok(serverOf(s.lane).destroyed);
    assert.deepEqual(s.told, ["400 CD-- POST /"]);
  });

  test("FIN behind a complete request: it is still answered, then the lane closes", () => {
    const s = scene();
    s.client(GET);
    s.relay.clientEnd();
    s.server(OK);
    assert.equal(s.lane.client.text, OK);
    assert.equal(s.lane.over, "close");
    assert.deepEqual(s.told, ["200 ---- GET /api/v1/pods"]);
  });

  test("FIN behind a complete request: a chunked answer is still delivered", () => {
    const s = scene();
    s.client(GET);
    s.relay.clientEnd();
    s.server(`${CHUNKED}2\r\n{}\r\n`);
    s.server("0\r\n\r\n");
    assert.deepEqual(s.told, ["200 ---- GET /api/v1/pods"]);
  });

  test("… but not for longer than client-fin", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    s.relay.clientEnd();
    assert.ok(s.lane.wokenAtMs <= s.lane.nowMs + 50);
    s.server(`${CHUNKED}2\r\n{}\r\n`);
    s.lane.nowMs += 50;
    s.relay.checkTimeouts(s.lane.nowMs);
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["200 CD-- GET /api/v1/pods"]);
  });

  test("FIN while a watch streams: both legs end at once", () => {
    const s = scene();
    s.client("GET /api/v1/pods?watch=true HTTP/1.1\r\nHost: a\r\n\r\n");
    s.server(`${CHUNKED}2\r\n{}\r\n`);
    s.relay.clientEnd();
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["200 CD-- GET /api/v1/pods?watch=true"]);
  });

  test("FIN while a counted answer is under way: it is delivered", () => {
    const s = scene();
    s.client(GET);
    s.server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
    s.relay.clientEnd();
    s.server("cd");
    assert.equal(s.lane.over, "close");
    assert.deepEqual(s.told, ["200 ---- GET /api/v1/pods"]);
  });

  for (const [rule, before, state] of [
    ["in a head", (s: Scene) => s.client("GET"), "-1 CR-- - -"],
    ["waiting for an answer", (s: Scene) => s.client(GET), "-1 CH-- GET /api/v1/pods"],
    ["in an answer", (s: Scene) => [s.client(GET), s.server(CHUNKED)], "200 CD-- GET /api/v1/pods"],
  ] as const) {
    test(`closed ${rule}: both legs end at once`, () => {
      const s = scene();
      before(s);
      s.relay.clientClosed("ECONNRESET");
      assert.equal(s.lane.over, "destroy");
      assert.deepEqual(s.told, [state]);
    });
  }

  test("closed while another server is dialled: nothing is sent to it", async () => {
    const s = scene();
    const late = new FakeConnection("10.1.0.12", 6443);
    s.lane.redials.push(late);
    s.client(GET);
    s.relay.serverEnd();
    s.relay.clientClosed(undefined);
    await turn();
    assert.equal(late.text, "");
    assert.deepEqual(s.told, ["-1 CC-- GET /api/v1/pods"]);
  });
});

describe("timeouts", () => {
  /** Runs the clock to the next deadline the relay asked for. */
  function runClock(s: Scene): void {
    assert.ok(Number.isFinite(s.lane.wokenAtMs), "the relay wants to be woken");
    s.lane.nowMs = s.lane.wokenAtMs;
    s.lane.wokenAtMs = s.relay.checkTimeouts(s.lane.nowMs);
  }

  test("no first request: 408 when http-request is over, counted from the accept", () => {
    const s = scene({ timeouts: TIMEOUTS });
    assert.equal(s.lane.wokenAtMs, 1_100);
    runClock(s);
    assert.match(s.lane.client.text, /^HTTP\/1\.1 408 /);
    assert.deepEqual(s.told, ["408 cR-- - -"]);
  });

  test("a slow head: 408, however often a byte comes", () => {
    const s = scene({ timeouts: TIMEOUTS });
    for (const byte of "GET / HT") {
      s.client(byte);
      s.lane.nowMs += 12;
    }
    s.lane.nowMs = 1_100;
    s.relay.checkTimeouts(1_100);
    assert.deepEqual(s.told, ["408 cR-- - -"]);
  });

  test("between requests: closed without a word after http-keep-alive", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    s.server(OK);
    runClock(s);
    assert.equal(s.lane.over, undefined, "the deadline of the first head came, and was no more");
    runClock(s);
    assert.equal(s.lane.nowMs, 1_200);
    assert.equal(s.lane.over, "close");
    assert.equal(s.lane.client.text, OK);
    assert.equal(s.told.length, 1);
  });

  test("a later head has its own time", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    s.server(OK);
    s.lane.nowMs = 1_150;
    s.client("GET");
    s.relay.checkTimeouts(1_249);
    assert.equal(s.lane.over, undefined);
    s.relay.checkTimeouts(1_250);
    assert.deepEqual(s.told.slice(1), ["408 cR-- - -"]);
  });

  test("no answer: 504", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    while (s.lane.over === undefined) runClock(s);
    assert.equal(s.lane.nowMs, 1_400);
    assert.match(s.lane.client.text, /^HTTP\/1\.1 504 /);
    assert.deepEqual(s.told, ["504 sH-- GET /api/v1/pods"]);
    assert.ok(serverOf(s.lane).destroyed);
  });

  test("a silent watch: cut when the server's time is over, each event begins it anew", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    s.lane.nowMs += 100;
    s.server(`${CHUNKED}1\r\na\r\n`);
    s.lane.nowMs += 300;
    s.server("1\r\nb\r\n");
    s.relay.checkTimeouts(s.lane.nowMs + 399);
    assert.equal(s.lane.over, undefined);
    s.relay.checkTimeouts(s.lane.nowMs + 400);
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["200 sD-- GET /api/v1/pods"]);
  });

  test("the client's time does not run while it waits for an answer", () => {
    const s = scene({ timeouts: { ...TIMEOUTS, serverMs: undefined } });
    s.client(GET);
    s.server(CHUNKED);
    assert.equal(s.relay.checkTimeouts(1_000_000), Number.POSITIVE_INFINITY);
    assert.equal(s.lane.over, undefined);
  });

  test("a body that stops: cut when the client's time is over", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    while (s.lane.over === undefined) runClock(s);
    assert.equal(s.lane.nowMs, 1_500);
    assert.deepEqual(s.told, ["-1 cD-- POST /"]);
  });

  test("a client that does not read is cut; one that reads slowly is not", () => {
    const s = scene({ timeouts: TIMEOUTS });
    s.client(GET);
    s.lane.client.hasRoom = false;
    s.lane.client.pendingBytes = 1_000;
    s.server(`${CHUNKED}1\r\na\r\n`);
    s.lane.client.pendingBytes = 900;
    assert.equal(s.relay.checkTimeouts(1_450), 1_950);
    assert.equal(s.relay.checkTimeouts(1_950), Number.POSITIVE_INFINITY);
    assert.equal(s.lane.over, "destroy");
    assert.deepEqual(s.told, ["200 cD-- GET /api/v1/pods"]);
  });

  test("without timeouts nobody is woken", () => {
    const s = scene();
    s.client(GET);
    s.server(OK);
    assert.equal(s.lane.wokenAtMs, Number.POSITIVE_INFINITY);
    assert.equal(s.relay.checkTimeouts(1e12), Number.POSITIVE_INFINITY);
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

/** Lets a redial come to its end. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
