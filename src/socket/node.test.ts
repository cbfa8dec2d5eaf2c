import assert from "node:assert/strict";
import * as net from "node:net";
import { test } from "node:test";
import { IGNORE } from "./connection.ts";
import { dialTcp, type NodeConnection } from "./node.ts";

const MEGABYTE = 1_048_576;

/** A connection and what its peer has read by the time it sees the end. */
async function withPeer(
  work: (connection: NodeConnection, peer: net.Socket) => Promise<void> | void,
): Promise<Buffer> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
    const { port } = server.address() as net.AddressInfo;
    const connection = await dialTcp({ host: "127.0.0.1", port });
    const peer = await accepted;
    const read: Buffer[] = [];
    peer.on("data", (chunk) => read.push(chunk)).pause();
    const ended = new Promise((resolve) => peer.once("close", resolve));
    await work(connection, peer);
    peer.resume();
    await ended;
    connection.destroy();
    return Buffer.concat(read);
  } finally {
    server.close();
  }
}

function drained(connection: NodeConnection): Promise<void> {
  return new Promise((resolve) => {
    connection.handler = { ...IGNORE, drain: resolve };
  });
}

test("chunks of one turn arrive in their order, and before the FIN", async () => {
  const read = await withPeer((connection) => {
    for (const text of ["a", "b", "c"]) connection.write(Buffer.from(text));
    assert.equal(connection.pendingBytes, 3);
    connection.end();
  });
  assert.equal(read.toString(), "abc");
});

test("what was written before a destroy is still sent", async () => {
  const read = await withPeer((connection) => {
    connection.write(Buffer.from("an answer"));
    connection.destroy();
  });
  assert.equal(read.toString(), "an answer");
});

test("a drain follows each false, also where the kernel took all of it at once", async () => {
  await withPeer(async (connection) => {
    let hasRoom = true;
    for (let i = 0; i < 100 && hasRoom; i++) hasRoom = connection.write(Buffer.alloc(1_000));
    assert.equal(hasRoom, false);
    await drained(connection);
    connection.end();
  });
});

test("no drain comes while the peer does not read, and it comes when it does", async () => {
  await withPeer(async (connection, peer) => {
    let isDrained = false;
    const drain = drained(connection).then(() => {
      isDrained = true;
    });
    // More than the kernel's buffers hold.
    for (let i = 0; i < 32; i++) connection.write(Buffer.alloc(MEGABYTE));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isDrained, false);
    assert.ok(connection.pendingBytes > 0);
    peer.resume();
    await drain;
    assert.equal(connection.pendingBytes, 0);
    connection.end();
  });
});
