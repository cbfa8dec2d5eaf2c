import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { createServer, Socket as TcpSocket } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { createDatagramSink, PENDING_DATAGRAMS_MAX } from "./datagram-sink.ts";
import { createStreamSink, type LogStream, PENDING_CHARACTERS_MAX } from "./stream-sink.ts";
import { KeptStream } from "./testing.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A stream whose reader takes nothing until `take` is called. */
class StalledStream implements LogStream {
  readonly writes: string[] = [];
  #done: ((error?: Error | null) => void) | undefined;

  write(text: string, done: (error?: Error | null) => void): boolean {
    this.writes.push(text);
    this.#done = done;
    return false;
  }

  on(): this {
    return this;
  }

  take(error?: Error): void {
    this.#done?.(error);
  }
}

test("stream: all lines of a turn go in one write", async () => {
  const stream = new KeptStream();
  const sink = createStreamSink(stream, "stdout", assert.fail);
  for (let line = 0; line < 100; line++) sink.write(`line ${line}`);
  assert.equal(stream.writes.length, 0, "nothing is written while the gate works");
  await turn();
  assert.equal(stream.writes.length, 1);
  assert.equal(stream.lines.length, 100);
});

test("stream: one write is under way at a time, and order is kept", async () => {
  const stream = new StalledStream();
  const sink = createStreamSink(stream, "stdout", assert.fail);
  sink.write("a");
  await turn();
  sink.write("b");
  sink.write("c");
  await turn();
  assert.deepEqual(stream.writes, ["a\n"]);
  stream.take();
  assert.deepEqual(stream.writes, ["a\n", "b\nc\n"]);
});

test("stream: a reader that does not read costs lines, not memory, and the number is told", async () => {
  const problems: string[] = [];
  const stream = new StalledStream();
  const sink = createStreamSink(stream, "stdout", (sentence) => problems.push(sentence));
  const line = "x".repeat(1023);
  sink.write(line);
  await turn();
  for (let count = 0; count < 3000; count++) sink.write(line);
  stream.take();
  const [, waiting = ""] = stream.writes;
  assert.ok(waiting.length <= PENDING_CHARACTERS_MAX);
  const dropped = 3000 - waiting.length / 1024;
  assert.deepEqual(problems, [`${dropped} log lines for stdout were dropped: it was not read fast enough`]);
  stream.take();
  sink.write("again");
  await turn();
  assert.equal(stream.writes.at(-1), "again\n");
});

test("stream: a full disk or a closed pipe is told once, and once more after it was well again", async () => {
  const problems: string[] = [];
  const stream = new StalledStream();
  const sink = createStreamSink(stream, "stdout", (sentence) => problems.push(sentence));
  const full = Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" });
  for (const error of [full, full, undefined, full]) {
    sink.write("line");
    await turn();
    stream.take(error);
  }
  const sentence = "the log cannot be written to stdout (ENOSPC): its lines are lost until it can";
  assert.deepEqual(problems, [sentence, sentence]);
});

test("stream: an error event does not end the process, however many sinks a stream has had", () => {
  let listeners = 0;
  const stream: LogStream = { write: () => true, on: () => (listeners += 1) };
  for (let reload = 0; reload < 20; reload++) createStreamSink(stream, "stdout", assert.fail);
  assert.equal(listeners, 1);
});

test("stream: flush waits for the write, and after close lines are lost quietly", async () => {
  const stream = new StalledStream();
  const sink = createStreamSink(stream, "stdout", assert.fail);
  sink.write("a");
  let flushed = false;
  const flushing = sink.close().then(() => {
    flushed = true;
  });
  await turn();
  assert.deepEqual([stream.writes, flushed], [["a\n"], false]);
  stream.take();
  await flushing;
  sink.write("late");
  await turn();
  assert.deepEqual(stream.writes, ["a\n"]);
});

async function listener(
  type: "udp4" | "udp6",
  host: string,
): Promise<{ socket: Socket; got: Buffer[]; port: number }> {
  const socket = createSocket(type);
  const got: Buffer[] = [];
  socket.on("message", (message) => got.push(message));
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  return { socket, got, port: socket.address().port };
}

async function arrived(got: readonly Buffer[], count: number): Promise<void> {
  for (let wait = 0; wait < 200 && got.length < count; wait++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(got.length, count);
}

// A container may have no IPv6 at all.
const ipv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

for (const [rule, type, host, name] of [
  ["an IPv4 address", "udp4", "127.0.0.1", "127.0.0.1"],
  ...(ipv6 ? ([["an IPv6 address", "udp6", "::1", "::1"]] as const) : []),
  ["a name", "udp4", "127.0.0.1", "localhost"],
] as const) {
  test(`datagram: a line is a datagram with its line feed, sent to ${rule}`, async (context) => {
    const { socket, got, port } = await listener(type, host);
    context.after(() => socket.close());
    const sink = createDatagramSink({ host: name, port, lengthMax: 1024 }, assert.fail);
    sink.write("one");
    sink.write("two");
    await sink.flush();
    sink.write("three");
    await arrived(got, 3);
    assert.deepEqual(got.map(String), ["one\n", "two\n", "three\n"]);
    await sink.close();
  });
}

test("datagram: a long line is cut to the length, its line feed kept", async (context) => {
  const { socket, got, port } = await listener("udp4", "127.0.0.1");
  context.after(() => socket.close());
  const sink = createDatagramSink({ host: "127.0.0.1", port, lengthMax: 100 }, assert.fail);
  sink.write("x".repeat(5000));
  await arrived(got, 1);
  assert.equal(String(got[0]), `${"x".repeat(100)}\n`);
  await sink.close();
});

test("datagram: a syslog that is away is told once and heard again when it comes back", async (context) => {
  const first = await listener("udp4", "127.0.0.1");
  first.socket.close();
  const problems: string[] = [];
  const sink = createDatagramSink({ host: "127.0.0.1", port: first.port, lengthMax: 1024 }, (sentence) =>
    problems.push(sentence),
  );
  context.after(() => sink.close());
  for (let line = 0; line < 20; line++) {
    sink.write(`line ${line}`);
    await sink.flush();
    await turn();
  }
  assert.deepEqual(problems, [
    `the syslog at 127.0.0.1:${first.port} cannot be reached (ECONNREFUSED): its lines are lost until it can`,
  ]);
  const back = createSocket("udp4");
  context.after(() => back.close());
  const got: Buffer[] = [];
  back.on("message", (message) => got.push(message));
  await new Promise<void>((resolve) => back.bind(first.port, "127.0.0.1", resolve));
  const here = () => got.some((line) => String(line) === "here again\n");
  for (let wait = 0; wait < 100 && !here(); wait++) {
    sink.write("here again");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(here());
});

test("datagram: a name that does not resolve is told once, and nothing piles up", async () => {
  const problems: string[] = [];
  const sink = createDatagramSink({ host: "syslog.invalid", port: 514, lengthMax: 1024 }, (sentence) =>
    problems.push(sentence),
  );
  for (let line = 0; line < PENDING_DATAGRAMS_MAX * 3; line++) sink.write("line");
  await sink.flush();
  for (let line = 0; line < 100; line++) sink.write("line");
  await sink.close();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^the syslog at syslog\.invalid:514 cannot be reached \(E/);
});

test("datagram: its socket does not hold the process", async (context) => {
  const { socket, port } = await listener("udp4", "127.0.0.1");
  context.after(() => socket.close());
  const before = process.getActiveResourcesInfo().filter((kind) => kind === "UDPWrap").length;
  const sink = createDatagramSink({ host: "127.0.0.1", port, lengthMax: 1024 }, assert.fail);
  sink.write("line");
  await sink.flush();
  // Only what holds the process is counted there.
  assert.equal(process.getActiveResourcesInfo().filter((kind) => kind === "UDPWrap").length, before);
  await sink.close();
});

test("stream: the server's end of a broken pipe is told, not thrown", async () => {
  const server = createServer((peer) => peer.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const problems: string[] = [];
  const socket = new TcpSocket();
  const sink = createStreamSink(socket, "stdout", (sentence) => problems.push(sentence));
  await new Promise<void>((resolve) => socket.connect(address.port, "127.0.0.1", resolve));
  for (let line = 0; line < 50; line++) {
    sink.write("line");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await sink.close();
  server.close();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^the log cannot be written to stdout/);
});
