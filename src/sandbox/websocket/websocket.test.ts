import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { WebSocketBytes, WebSocketConnection } from "./connection.ts";
import { encodeFrame, opcode, WebSocketError, WebSocketReader } from "./frames.ts";
import { acceptFor, readProtocols } from "./handshake.ts";

const binary = (payload: string, fin = true, code: number = opcode.binary) => ({
  fin,
  opcode: code,
  payload: Buffer.from(payload),
});

describe("frames", () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 100_000]) {
    for (const masked of [true, false]) {
      it(`of ${length} bytes, ${masked ? "masked" : "plain"}, come back as they were`, () => {
        const frame = binary("x".repeat(length));
        assert.deepEqual(new WebSocketReader(masked).read(encodeFrame(frame, masked)), [frame]);
      });
    }
  }

  it("are found at every cut of the bytes", () => {
    const frames = [binary("one"), binary("", true, opcode.ping), binary("y".repeat(200))];
    const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame, true)));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const reader = new WebSocketReader(true);
      assert.deepEqual([...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))], frames);
    }
  });

  const refused: readonly (readonly [string, Buffer, number])[] = [
    ["reserved bits", Buffer.from([0xc2, 0x80, 0, 0, 0, 0]), 1002],
    ["an unknown opcode", Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ["a client that does not mask", Buffer.from([0x82, 0x00]), 1002],
    ["a fragmented ping", Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 1002],
    ["a long ping", Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), 1002],
    ["a frame without measure", Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
  ];
  for (const [name, bytes, code] of refused) {
    it(`refuses ${name} with ${code}`, () => {
      assert.throws(
        () => new WebSocketReader(true).read(bytes),
        (error) => error instanceof WebSocketError && error.code === code,
      );
    });
  }
});

describe("a connection", () => {
  it("joins fragments, with a ping between them", () => {
    const { near, far, sent } = wire();
    const messages: string[] = [];
    new WebSocketConnection(near, "server", { onMessage: (message) => messages.push(message.toString()) });
    far(encodeFrame(binary("one ", false), true));
    far(encodeFrame(binary("!", true, opcode.ping), true));
    far(encodeFrame(binary("two", true, opcode.continuation), true));
    assert.deepEqual(messages, ["one two"]);
    assert.deepEqual(new WebSocketReader(false).read(sent()), [binary("!", true, opcode.pong)]);
  });

  it("closes with 1002 when a fragment stands alone", () => {
    const { near, far, sent } = wire();
    let closed: number | undefined;
    new WebSocketConnection(near, "server", {
      onMessage: () => assert.fail("no message"),
      onClose: (code) => {
        closed = code;
      },
    });
    far(encodeFrame(binary("x", true, opcode.continuation), true));
    assert.equal(closed, 1002);
    const [frame] = new WebSocketReader(false).read(sent());
    assert.equal(frame?.opcode, opcode.close);
    assert.equal(frame?.payload.readUInt16BE(0), 1002);
  });

  it("answers a close frame with its code and tells it once", () => {
    const { near, far, sent } = wire();
    const codes: number[] = [];
    const handlers = { onMessage: () => true, onClose: (code: number) => void codes.push(code) };
    new WebSocketConnection(near, "server", handlers);
    far(encodeFrame({ fin: true, opcode: opcode.close, payload: Buffer.from([0x03, 0xe8]) }, true));
    near.destroy();
    assert.deepEqual(codes, [1000]);
    const [frame] = new WebSocketReader(false).read(sent());
    assert.deepEqual(frame?.payload, Buffer.from([0x03, 0xe8]));
  });

  it("tells 1006 when the connection is lost without a close frame", async () => {
    const { near } = wire();
    const code = new Promise((resolve) => {
      new WebSocketConnection(near, "server", { onMessage: () => true, onClose: resolve });
    });
    near.destroy();
    assert.equal(await code, 1006);
  });
});

describe("bytes in messages", () => {
  it("come out as one stream, wherever they were cut", async () => {
    const { near, far } = wire();
    const bytes = new WebSocketBytes(near, "server");
    for (const part of ["cut ", "any", "where"]) far(encodeFrame(binary(part), true));
    far(encodeFrame({ fin: true, opcode: opcode.close, payload: Buffer.from([0x03, 0xe8]) }, true));
    let text = "";
    for await (const chunk of bytes) text += String(chunk);
    assert.equal(text, "cut anywhere");
  });
});

describe("the handshake", () => {
  it("accepts the key of RFC 6455 §1.3", () => {
    assert.equal(acceptFor("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  it("takes a token out of the subprotocols and never offers it back", () => {
    const token = Buffer.from("secret/token").toString("base64url");
    const lines = [`base64url.bearer.authorization.k8s.io.${token}, v5.channel.k8s.io`, "v4.channel.k8s.io"];
    assert.deepEqual(readProtocols(lines), {
      protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
      token: "secret/token",
    });
  });
});

/** A connection whose far end is the test: `far` is what arrives, `sent` what was written. */
function wire(): { near: Duplex; far: (bytes: Buffer) => void; sent: () => Buffer } {
  const written: Buffer[] = [];
  const near = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  return { near, far: (bytes) => near.emit("data", bytes), sent: () => Buffer.concat(written) };
}
