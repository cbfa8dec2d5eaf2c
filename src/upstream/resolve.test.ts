import assert from "node:assert/strict";
import { test } from "node:test";
import { HostAddresses } from "./resolve.ts";

/** A resolver whose answers are set by the test, and a clock. */
function world() {
  const state = { now: 0, answer: [] as readonly string[], asked: 0 };
  const lookup = async () => {
    state.asked += 1;
    if (state.answer.length === 0) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    return state.answer;
  };
  return { state, host: new HostAddresses("api.internal", lookup, () => state.now) };
}

test("an IP address is never looked up", async () => {
  const never = async () => assert.fail("looked up");
  const host = new HostAddresses("10.0.0.1", never, () => 0);
  host.failed(false);
  assert.deepEqual(await host.addresses(), ["10.0.0.1"]);
});

test("a name is looked up once and kept", async () => {
  const { state, host } = world();
  state.answer = ["10.0.0.1", "10.0.0.2"];
  assert.deepEqual(await host.addresses(), ["10.0.0.1", "10.0.0.2"]);
  await host.addresses();
  assert.equal(state.asked, 1);
});

test("many who wait share one lookup", async () => {
  const { state, host } = world();
  state.answer = ["10.0.0.1"];
  await Promise.all([host.addresses(), host.addresses(), host.addresses()]);
  assert.equal(state.asked, 1);
});

test("a name that does not resolve is looked up again, not more often than every 2 s", async () => {
  const { state, host } = world();
  assert.deepEqual(await host.addresses(), []);
  assert.equal(host.failure, "ENOTFOUND");
  state.answer = ["10.0.0.1"];
  state.now = 1999;
  assert.deepEqual(await host.addresses(), []);
  state.now = 2000;
  assert.deepEqual(await host.addresses(), ["10.0.0.1"]);
  assert.equal(host.failure, undefined);
  assert.equal(state.asked, 2);
});

test("a failed dial asks again: after 30 s while up, after 5 s while down", async () => {
  const { state, host } = world();
  state.answer = ["10.0.0.1"];
  await host.addresses();
  state.answer = ["10.0.0.9"];
  state.now = 29_999;
  host.failed(true);
  assert.equal(state.asked, 1);
  host.failed(false);
  await new Promise(setImmediate);
  assert.deepEqual(await host.addresses(), ["10.0.0.9"]);
  state.now += 4_999;
  host.failed(false);
  assert.equal(state.asked, 2);
  state.now += 30_000;
  host.failed(true);
  assert.equal(state.asked, 3);
});

test("old addresses stay while the resolver is out of order", async () => {
  const { state, host } = world();
  state.answer = ["10.0.0.1"];
  await host.addresses();
  state.answer = [];
  state.now = 60_000;
  host.failed(true);
  await new Promise(setImmediate);
  assert.equal(state.asked, 2);
  assert.deepEqual(await host.addresses(), ["10.0.0.1"]);
  assert.equal(host.failure, undefined);
});

test("the address that answered goes first", async () => {
  const { state, host } = world();
  state.answer = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  await host.addresses();
  host.worked("10.0.0.3");
  assert.deepEqual(await host.addresses(), ["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
});
