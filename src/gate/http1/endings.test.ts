import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everySplitAsync } from "../../wire/testing.ts";
import { FakeConnection } from "../testing.ts";
import { CHUNKED, GET, OK, type Scene, scene, serverOf, TIMEOUTS, turn } from "./testing.ts";

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

  test("a GET with a head that went out in several writes is repeated whole", async () => {
    const s = scene({ forwardedFor: "192.0.2.7" });
    const again = new FakeConnection("10.1.0.12", 6443);
    s.lane.redials.push(again);
    const first = serverOf(s.lane);
    s.client(GET.replace("\r\n\r\n", `\r\nAccept: ${"a".repeat(20_000)}\r\n\r\n`));
    s.relay.serverEnd();
    await turn();
    assert.ok(first.written.length > 1, "several writes");
    assert.equal(again.text, first.text);
  });

  test("a mistake behind the redial ends the lane by its owner", async () => {
    const s = scene();
    const failures: unknown[] = [];
    s.lane.failed = (error) => void failures.push(error);
    s.lane.redial = async () => {
      throw new RangeError("out of range");
    };
    s.client(GET);
    s.relay.serverEnd();
    await turn();
    assert.deepEqual(failures.map(String), ["RangeError: out of range"]);
  });

  test("a GET that asks for an upgrade is not repeated: an exec runs a command", async () => {
    const s = scene();
    s.client(GET.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
    s.relay.serverEnd();
    await turn();
    assert.equal(s.lane.redialled, 0);
    assert.deepEqual(s.told, ["502 SH-- GET /api/v1/pods"]);
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
