import assert from "node:assert/strict";
import { test } from "node:test";
import { everySplit } from "../testing.ts";
import { Http2ConnectionError } from "./errors.ts";
import { FrameScanner, type FrameSink } from "./scanner.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1").toString("hex");
const SETTINGS = "000000 04 00 00000000";

/** What was seen, a line each; DATA slices are joined, since their cut is the chunk's. */
class Recorder implements FrameSink {
  readonly seen: string[] = [];
  #payload = "";

  preface(bytes: Buffer, start: number, end: number): void {
    this.seen.push(`preface ${bytes.toString("latin1", start, start + 3)} ${end - start}`);
  }
  dataBegins(
    streamId: number,
    flags: number,
    length: number,
    padding: number,
    b: Buffer,
    s: number,
    e: number,
  ) {
    this.#payload = b.toString("hex", s, e);
    this.seen.push(`data ${streamId} flags ${flags} length ${length} padding ${padding}`);
  }
  dataContinues(bytes: Buffer, start: number, end: number): void {
    this.#payload += bytes.toString("hex", start, end);
  }
  dataEnds(): void {
    this.seen.push(`data ends ${this.#payload}`);
  }
  headerBlock(block: import("./scanner.ts").HeaderBlock): void {
    const frames = block.frames.toString("hex", block.framesStart, block.framesEnd);
    const text = block.block.toString("hex", block.blockStart, block.blockEnd);
    const last = block.frames.toString("hex", block.lastFrameAt, block.lastContentEnd);
    this.seen.push(`block ${block.streamId} end ${block.endStream} ${text} frames ${frames} last ${last}`);
  }
  control(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.seen.push(`control ${type} flags ${flags} stream ${streamId} ${bytes.toString("hex", start, end)}`);
  }
  unknown(type: number): void {
    this.seen.push(`unknown ${type}`);
  }
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

function scan(from: "client" | "server", chunks: readonly Buffer[]): { seen: string[]; code: number } {
  const recorder = new Recorder();
  const scanner = new FrameScanner(from, recorder, { blockBytesMax: 2_000 });
  try {
    for (const chunk of chunks) scanner.feed(chunk);
  } catch (error) {
    if (!(error instanceof Http2ConnectionError)) throw error;
    return { seen: recorder.seen, code: error.code };
  }
  return { seen: recorder.seen, code: 0 };
}

for (const { rule, from = "server", bytes, seen } of [
  {
    rule: "a client's preface and its SETTINGS",
    from: "client",
    bytes: `${PREFACE} 000006 04 00 00000000 0002 00000000`,
    seen: ["preface PRI 24", "control 4 flags 0 stream 0 000006040000000000000200000000"],
  },
  {
    rule: "DATA with and without payload, the reserved bit ignored",
    bytes: `${SETTINGS} 000003 00 01 80000001 616263 000000 00 00 00000001`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "data 1 flags 1 length 3 padding 0",
      "data ends 000003000180000001616263",
      "data 1 flags 0 length 0 padding 0",
      "data ends 000000000000000001",
    ],
  },
  {
    rule: "padded DATA, its padding told",
    bytes: `${SETTINGS} 000006 00 08 00000003 02 616263 0000`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "data 3 flags 8 length 6 padding 3",
      "data ends 000006000800000003026162630000",
    ],
  },
  {
    rule: "HEADERS in one frame",
    bytes: `${SETTINGS} 000002 01 05 00000001 8284`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "block 1 end true 8284 frames 0000020105000000018284 last 0000020105000000018284",
    ],
  },
  {
    rule: "HEADERS with priority and padding",
    bytes: `${SETTINGS} 00000a 01 2c 00000003 02 00000000 ff 8284 0000`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "block 3 end false 8284 frames 00000a012c000000030200000000ff82840000 last 00000a012c000000030200000000ff8284",
    ],
  },
  {
    rule: "a block in three frames, one of them empty",
    bytes: `${SETTINGS} 000001 01 01 00000001 82 000000 09 00 00000001 000002 09 04 00000001 8687`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "block 1 end true 828687 frames 00000101010000000182000000090000000001000002090400000001" +
        "8687 last 0000020904000000018687",
    ],
  },
  {
    rule: "a frame of an unknown type, skipped",
    bytes: `${SETTINGS} 000003 0a 00 00000000 616263 000008 06 00 00000000 0102030405060708`,
    seen: [
      "control 4 flags 0 stream 0 000000040000000000",
      "unknown 10",
      "control 6 flags 0 stream 0 0000080600000000000102030405060708",
    ],
  },
] as const) {
  test(`finds ${rule}, however it is cut`, () => {
    everySplit(hex(bytes), (chunks, how) => {
      assert.deepEqual(scan(from as "client" | "server", chunks), { seen: [...seen], code: 0 }, how);
    });
  });
}

const PROTOCOL_ERROR = 1;
const FRAME_SIZE_ERROR = 6;
const ENHANCE_YOUR_CALM = 11;

for (const { rule, from = "server", bytes, code } of [
  { rule: "HTTP/1 in place of the preface, §3.4", from: "client", bytes: "474554", code: PROTOCOL_ERROR },
  { rule: "a first frame that is not SETTINGS, §3.4", bytes: "000008 06 00 00000000", code: PROTOCOL_ERROR },
  { rule: "an acknowledgement as first frame", bytes: "000000 04 01 00000000", code: PROTOCOL_ERROR },
  {
    rule: "a frame above the frame size, §4.2",
    bytes: `${SETTINGS} 004001 00 00 00000001`,
    code: FRAME_SIZE_ERROR,
  },
  { rule: "DATA on stream 0, §6.1", bytes: `${SETTINGS} 000000 00 00 00000000`, code: PROTOCOL_ERROR },
  {
    rule: "padded DATA without its pad length, §6.1",
    bytes: `${SETTINGS} 000000 00 08 00000001`,
    code: FRAME_SIZE_ERROR,
  },
  {
    rule: "padding as long as its DATA, §6.1",
    bytes: `${SETTINGS} 000001 00 08 00000001 01`,
    code: PROTOCOL_ERROR,
  },
  { rule: "HEADERS on stream 0, §6.2", bytes: `${SETTINGS} 000000 01 04 00000000`, code: PROTOCOL_ERROR },
  {
    rule: "padding longer than HEADERS, §6.2",
    bytes: `${SETTINGS} 000002 01 0c 00000001 0282`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "HEADERS too short for their priority, §6.2",
    bytes: `${SETTINGS} 000004 01 24 00000001`,
    code: FRAME_SIZE_ERROR,
  },
  {
    rule: "a stream that depends on itself, §5.3.1",
    bytes: `${SETTINGS} 000006 01 24 00000001 00000001 10 82`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "PRIORITY of a wrong size, §6.3",
    bytes: `${SETTINGS} 000004 02 00 00000001`,
    code: FRAME_SIZE_ERROR,
  },
  { rule: "RST_STREAM on stream 0, §6.4", bytes: `${SETTINGS} 000004 03 00 00000000`, code: PROTOCOL_ERROR },
  {
    rule: "RST_STREAM of a wrong size, §6.4",
    bytes: `${SETTINGS} 000005 03 00 00000001`,
    code: FRAME_SIZE_ERROR,
  },
  { rule: "SETTINGS on a stream, §6.5", bytes: "000000 04 00 00000001", code: PROTOCOL_ERROR },
  { rule: "SETTINGS of a wrong size, §6.5", bytes: "000005 04 00 00000000", code: FRAME_SIZE_ERROR },
  {
    rule: "an acknowledgement with a payload, §6.5",
    bytes: `${SETTINGS} 000006 04 01 00000000`,
    code: FRAME_SIZE_ERROR,
  },
  { rule: "PUSH_PROMISE, §8.4", bytes: `${SETTINGS} 000004 05 04 00000001`, code: PROTOCOL_ERROR },
  { rule: "PING of a wrong size, §6.7", bytes: `${SETTINGS} 000007 06 00 00000000`, code: FRAME_SIZE_ERROR },
  { rule: "PING on a stream, §6.7", bytes: `${SETTINGS} 000008 06 00 00000001`, code: PROTOCOL_ERROR },
  { rule: "GOAWAY too short, §6.8", bytes: `${SETTINGS} 000007 07 00 00000000`, code: FRAME_SIZE_ERROR },
  {
    rule: "WINDOW_UPDATE of a wrong size, §6.9",
    bytes: `${SETTINGS} 000003 08 00 00000000`,
    code: FRAME_SIZE_ERROR,
  },
  {
    rule: "CONTINUATION without HEADERS, §6.10",
    bytes: `${SETTINGS} 000000 09 04 00000001`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "a PING inside a header block, §6.10",
    bytes: `${SETTINGS} 000001 01 00 00000001 82 000008 06 00 00000000`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "an unknown frame inside a header block, §5.5",
    bytes: `${SETTINGS} 000001 01 00 00000001 82 000000 0a 00 00000001`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "CONTINUATION of another stream, §6.10",
    bytes: `${SETTINGS} 000001 01 00 00000001 82 000000 09 04 00000003`,
    code: PROTOCOL_ERROR,
  },
  {
    rule: "a header block above the limit, before it is gathered",
    bytes: `${SETTINGS} 0007d0 01 04 00000001`,
    code: ENHANCE_YOUR_CALM,
  },
  {
    rule: "a header block above the limit in small frames",
    bytes: `${SETTINGS} 0003e8 01 00 00000001 ${"82".repeat(1_000)} 0003e8 09 00 00000001`,
    code: ENHANCE_YOUR_CALM,
  },
  {
    rule: "a flood of empty CONTINUATION frames",
    bytes: `${SETTINGS} 000000 01 00 00000001 ${"000000 09 00 00000001".repeat(64)}`,
    code: ENHANCE_YOUR_CALM,
  },
] as const) {
  test(`refuses ${rule}`, () => {
    everySplit(hex(bytes), (chunks, how) => assert.equal(scan(from, chunks).code, code, how));
  });
}

test("hands on a DATA payload as slices of the chunks it came in", () => {
  const payloads: Buffer[] = [];
  const recorder = new Recorder();
  recorder.dataContinues = (bytes) => payloads.push(bytes);
  const scanner = new FrameScanner("server", recorder, { blockBytesMax: 2_000 });
  const first = Buffer.concat([hex(`${SETTINGS} 000fa0 00 00 00000001`), Buffer.alloc(1_000)]);
  const second = Buffer.alloc(3_000);
  scanner.feed(first);
  scanner.feed(second);
  assert.equal(payloads[0], first);
  assert.equal(payloads[1], second);
  assert.equal(recorder.seen.at(-1)?.startsWith("data ends"), true);
});

test("says while a block is not whole, and not for DATA", () => {
  const scanner = new FrameScanner("server", new Recorder(), { blockBytesMax: 2_000 });
  scanner.feed(hex(`${SETTINGS} 000010 00 00 00000001 6162`));
  assert.equal(scanner.incomplete, false);
  scanner.feed(Buffer.concat([Buffer.alloc(14), hex("000001 01 00 00000001 82")]));
  assert.equal(scanner.incomplete, true);
  scanner.feed(hex("000000 09 04 00000001"));
  assert.equal(scanner.incomplete, false);
});
