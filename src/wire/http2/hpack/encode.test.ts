import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameScanner, type HeaderBlock } from "../scanner.ts";
import { HpackDecoder } from "./decode.ts";
import { headerFrames, literal } from "./encode.ts";
import { HeaderField } from "./table.ts";

/** Reads frames back: blocks only, behind an empty SETTINGS. */
function readBack(frames: Buffer, decoder: HpackDecoder): { block: HeaderBlock; lines: string[] } {
  let seen: { block: HeaderBlock; lines: string[] } | undefined;
  const ignore = () => {};
  const scanner = new FrameScanner(
    "server",
    {
      preface: ignore,
      dataBegins: ignore,
      dataContinues: ignore,
      dataEnds: ignore,
      control: ignore,
      unknown: ignore,
      headerBlock(block) {
        const lines: string[] = [];
        decoder.decode(block.block, block.blockStart, block.blockEnd, {
          field: ({ name, value, neverIndexed }) =>
            lines.push(`${name}: ${value}${neverIndexed ? " (never indexed)" : ""}`),
        });
        seen = { block: { ...block }, lines };
      },
    },
    { blockBytesMax: 1 << 20 },
  );
  scanner.feed(Buffer.concat([Buffer.from("000000040000000000", "hex"), frames]));
  assert.ok(seen);
  return seen;
}

test("literals can be read back, static names by their index, and leave the table alone", () => {
  const fields = [
    new HeaderField(":method", "PATCH"),
    new HeaderField("authorization", "Bearer x", true),
    new HeaderField("x-own", ""),
    new HeaderField("x-long", "v".repeat(300)),
  ];
  const decoder = new HpackDecoder(65_536);
  const { block, lines } = readBack(headerFrames(5, true, { fields }), decoder);
  assert.deepEqual(lines, [
    ":method: PATCH",
    "authorization: Bearer x (never indexed)",
    "x-own: ",
    `x-long: ${"v".repeat(300)}`,
  ]);
  assert.equal(block.streamId, 5);
  assert.equal(block.endStream, true);
  assert.equal(decoder.changes, 0);
});

test("a block above the frame size goes on in CONTINUATION", () => {
  const fields = [new HeaderField("x-long", "v".repeat(40_000))];
  const last = literal("x-forwarded-for", "192.0.2.7");
  const { lines } = readBack(headerFrames(1, false, { fields, last }), new HpackDecoder(65_536));
  assert.deepEqual(lines, [`x-long: ${"v".repeat(40_000)}`, "x-forwarded-for: 192.0.2.7"]);
});

test("emptying the table stands before the first field", () => {
  const decoder = new HpackDecoder(65_536);
  const entry = literal("x", "y");
  entry[0] = 0x40;
  decoder.decode(entry, 0, entry.length, { field() {} });
  const fields = [new HeaderField("x", "z")];
  assert.deepEqual(readBack(headerFrames(1, true, { fields, emptyTable: true }), decoder).lines, ["x: z"]);
  assert.throws(() => decoder.decode(Buffer.from([0xbe]), 0, 1, { field() {} }), /outside the table/);
});
