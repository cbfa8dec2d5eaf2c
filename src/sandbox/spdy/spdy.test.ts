import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import type { Transform } from "node:stream";
import { after, describe, it } from "node:test";
import { createDeflate, createInflate, type Zlib, constants as zlib } from "node:zlib";
import { headerDictionary, headerDictionaryId } from "./dictionary.ts";
import { controlFrame, controlType, dataFrame, FrameReader } from "./frames.ts";
import { encodePairs, HeaderCompression, type SpdyHeaders } from "./headers.ts";
import { SpdySession, type SpdyStream } from "./session.ts";

describe("the header dictionary", () => {
  it("has the length and the Adler-32 that zlib headers of SPDY/3 name", () => {
    assert.equal(headerDictionary.length, 1423);
    assert.equal(adler32(headerDictionary), headerDictionaryId);
  });
});

describe("header compression, beside Node's streaming zlib", () => {
  const blocks: readonly SpdyHeaders[] = [
    { streamtype: "error", port: "80", requestid: "0" },
    { streamtype: "data", port: "80", requestid: "0" },
    {},
    { long: "x".repeat(40_000), streamtype: "data" },
    { streamtype: "data", port: "80", requestid: "1" },
  ];

  it("reads what one zlib stream over all blocks has written", async () => {
    const deflate = createDeflate({ dictionary: headerDictionary });
    const reader = new HeaderCompression();
    for (const headers of blocks) {
      const written = await flushed(deflate, encodePairs(headers));
      assert.deepEqual(reader.decompress(written), headers);
    }
  });

  it("writes what one zlib stream over all blocks can read", async () => {
    const inflate = createInflate({ dictionary: headerDictionary });
    const writer = new HeaderCompression();
    for (const headers of blocks) {
      const text = await flushed(inflate, writer.compress(headers));
      assert.deepEqual(text, encodePairs(headers));
    }
  });

  it("refuses a block that inflates without end", () => {
    const huge = new HeaderCompression().compress({ bomb: "0".repeat(1 << 20) });
    assert.ok(huge.length < 10_000);
    assert.throws(() => new HeaderCompression().decompress(huge));
  });
});

describe("frames", () => {
  it("are found at every cut of the bytes", () => {
    const bytes = Buffer.concat([
      dataFrame(1, Buffer.from("hello"), false),
      controlFrame(controlType.ping, 0, Buffer.from([0, 0, 0, 2])),
      dataFrame(1, Buffer.alloc(0), true),
    ]);
    const whole = new FrameReader().read(bytes);
    assert.equal(whole.length, 3);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const reader = new FrameReader();
      const parts = [...reader.read(bytes.subarray(0, cut)), ...reader.read(bytes.subarray(cut))];
      assert.deepEqual(parts, whole);
    }
  });

  it("of another version are refused", () => {
    const frame = controlFrame(controlType.ping, 0, Buffer.alloc(4));
    frame[1] = 2;
    assert.throws(() => new FrameReader().read(frame), /SPDY version 2/);
  });

  it("longer than allowed are refused before they are held", () => {
    const frame = dataFrame(1, Buffer.alloc(100), false).subarray(0, 8);
    assert.throws(() => new FrameReader().read(frame, 99), /100 bytes/);
  });
});

describe("a session", () => {
  const closers: (() => void)[] = [];
  after(() => {
    for (const close of closers) close();
  });

  async function pair(onStream: (stream: SpdyStream) => void): Promise<SpdySession> {
    const listener = createServer((socket: Socket) => {
      new SpdySession(socket, { role: "server", onStream });
    });
    const port = await new Promise<number>((resolve) => {
      listener.listen(0, "127.0.0.1", () => {
        const address = listener.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    const socket = connect(port, "127.0.0.1");
    closers.push(() => {
      socket.destroy();
      listener.close();
    });
    return new SpdySession(socket, { role: "client" });
  }

  it("carries headers and bytes both ways on many streams at once", async () => {
    const client = await pair((stream) => {
      stream.write(`${stream.headers.name}:`);
      stream.pipe(stream);
    });
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
    const answers = texts.map((text, index) => {
      const stream = client.open({ name: `s${index}` });
      stream.end(text);
      return textOf(stream);
    });
    assert.deepEqual(
      await Promise.all(answers),
      texts.map((text, index) => `s${index}:${text}`),
    );
    assert.equal(client.streams.size, 0);
  });

  it("keeps the other direction open after a FIN", async () => {
    const client = await pair((stream) => {
      stream.resume().on("end", () => stream.end("after your FIN"));
    });
    const stream = client.open({});
    stream.end();
    assert.equal(await textOf(stream), "after your FIN");
  });

  it("tells a reset as an error on that stream alone", async () => {
    const client = await pair((stream) => {
      if (stream.headers.name === "bad") stream.destroy();
      else stream.pipe(stream);
    });
    const bad = client.open({ name: "bad" });
    const good = client.open({ name: "good" });
    good.end("fine");
    await assert.rejects(textOf(bad), /reset/);
    assert.equal(await textOf(good), "fine");
  });

  it("stops reading for a stream that nobody reads, and goes on when it is read", async () => {
    const client = await pair((stream) => stream.end(Buffer.alloc(4 << 20, "x")));
    const stream = client.open({});
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(stream.readableLength < 1 << 20, `${stream.readableLength} bytes are held`);
    assert.equal((await textOf(stream)).length, 4 << 20);
  });
});

async function textOf(stream: SpdyStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function flushed(transform: Transform & Zlib, text: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer): void => {
      chunks.push(chunk);
    };
    transform.on("data", collect).once("error", reject);
    transform.write(text);
    transform.flush(zlib.Z_SYNC_FLUSH, () => {
      transform.off("data", collect);
      resolve(Buffer.concat(chunks));
    });
  });
}

function adler32(bytes: Buffer): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}
