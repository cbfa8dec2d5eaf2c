import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CLASS, decimal, TEXT, textEnd, wordsOf } from "./bytes.ts";

/** What textEnd does, a byte at a time. */
function plainTextEnd(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && (CLASS[bytes[at]!]! & TEXT) !== 0) at++;
  return at;
}

describe("four bytes at a time see what one at a time sees", () => {
  // Longer than the shortest buffer that has words, at each alignment of its first byte.
  const room = Buffer.alloc(256);
  for (let byte = 0; byte < 256; byte++) {
    test(`byte 0x${byte.toString(16)} at any place, behind any begin`, () => {
      for (let offset = 0; offset < 4; offset++) {
        const bytes = room.subarray(offset, offset + 200).fill("x");
        const words = wordsOf(bytes);
        for (let place = 20; place < 40; place++) {
          bytes[place] = byte;
          bytes[place + 1] = 0x80 | (byte & 0x7f);
          for (let from = 16; from < 24; from++) {
            for (const end of [place, place + 1, place + 3, 200]) {
              const found = textEnd(bytes, words, bytes.byteOffset & 3, from, end);
              assert.equal(found, plainTextEnd(bytes, from, end), `${offset} ${place} ${from} ${end}`);
            }
          }
          bytes.fill("x", place, place + 2);
        }
      }
    });
  }

  test("a tab is text, and what follows is still looked at", () => {
    const bytes = Buffer.from(`${"x".repeat(100)}\t${"y".repeat(100)}\r\n`);
    assert.equal(textEnd(bytes, wordsOf(bytes), bytes.byteOffset & 3, 0, bytes.length), 201);
  });
});

describe("decimal", () => {
  for (const [text, value] of [
    ["0", 0],
    ["0012", 12],
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", -1],
    ["00000000000000001", -1],
    ["", -1],
    ["-1", -1],
    ["1 ", -1],
    ["1a", -1],
  ] as const) {
    test(`"${text}" is ${value}`, () => assert.equal(decimal(Buffer.from(text), 0, text.length), value));
  }
});
