import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHUNKED, GET, OK, type Scene, scene, serverOf, TIMEOUTS } from "./testing.ts";

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
