import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { listen, type NodeConnection } from "../socket/index.ts";
import { Parting } from "./parting.ts";

const BYTES = 24_000_000; // more than the kernel keeps for a reader that does not read

test("a slow reader gets all that was written, however long it takes", async (t) => {
  const { ours, peer } = await pair(t);
  ours.write(Buffer.alloc(BYTES, "x"));
  let over = 0;
  new Parting(ours, undefined, () => {
    over += 1;
  });
  let read = 0;
  peer.on("data", (chunk: Buffer) => {
    read += chunk.length;
    peer.pause();
    setTimeout(() => peer.resume(), read < BYTES / 4 ? 25 : 0);
  });
  await once(peer, "end");
  assert.equal(read, BYTES);
  peer.end();
  await once(peer, "close");
  await closed(ours);
  assert.equal(over, 1);
});

test("a reader that takes nothing for its fin timeout is cut", async (t) => {
  const { ours, peer } = await pair(t);
  peer.pause();
  ours.write(Buffer.alloc(BYTES));
  await new Promise<void>((resolve) => new Parting(ours, 2_000, resolve));
  assert.equal(ours.destroyed, true);
});

test("a peer that has read all and does not close is cut; what it sends is not answered with a reset", async (t) => {
  const { ours, peer } = await pair(t);
  ours.write(Buffer.from("goodbye"));
  const over = new Promise<void>((resolve) => new Parting(ours, undefined, resolve));
  peer.write("you are still there?");
  const [said] = (await once(peer, "data")) as [Buffer];
  assert.equal(said.toString(), "goodbye");
  await once(peer, "end");
  await over;
  assert.equal(ours.destroyed, true);
});

interface Pair {
  readonly ours: NodeConnection;
  readonly peer: net.Socket;
}

async function pair(t: { after(fn: () => void): void }): Promise<Pair> {
  const accepted: { take(raw: NodeConnection): void } = { take() {} };
  const taken = new Promise<NodeConnection>((resolve) => {
    accepted.take = resolve;
  });
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    onAccept: (raw) => accepted.take(raw),
    onError() {},
  });
  const peer = net.connect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => {});
  const ours = await taken;
  t.after(() => {
    listener.close();
    peer.destroy();
    ours.destroy();
  });
  return { ours, peer };
}

async function closed(connection: NodeConnection): Promise<void> {
  while (!connection.destroyed) await new Promise((resolve) => setTimeout(resolve, 5));
}
