import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { listen, type NodeConnection } from "../socket/index.ts";
import { hearClientHello } from "./hear.ts";

test("a mistake behind a client's first bytes goes to whoever waits for them, not to the process", async (t) => {
  let accepted: (raw: NodeConnection) => void = () => {};
  const raw = new Promise<NodeConnection>((resolve) => {
    accepted = resolve;
  });
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    onAccept: (connection) => accepted(connection),
    onError: () => {},
  });
  t.after(() => listener.close());
  const client = net.connect(listener.port, "127.0.0.1");
  t.after(() => client.destroy());
  await once(client, "connect");
  const connection = await raw;
  t.after(() => connection.destroy());
  connection.pause = () => {
    throw new RangeError("out of range");
  };
  const heard = hearClientHello(connection, undefined, new AbortController().signal);
  client.write("GET / HTTP/1.1\r\n\r\n");
  await assert.rejects(heard, RangeError);
});
