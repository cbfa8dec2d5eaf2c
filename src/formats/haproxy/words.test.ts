import assert from "node:assert/strict";
import { test } from "node:test";
import { Problems } from "../../model/index.ts";
import { readWords } from "./words.ts";

/** Where words stand; what they become is held by the `words-*` cases, which HAProxy reads as well. */
for (const [rule, text, expected] of [
  ["counts columns from 1, a tab as one", "\tbind :1\n", ["1:2 bind", "1:7 :1"]],
  ["counts lines that say nothing", "# one\n\n  a\n", ["3:3 a"]],
  ["places a quoted word at its quote", `a "b c" d\n`, ["1:1 a", "1:3 b c", "1:9 d"]],
  ["places a word that opens a quote in its middle at its start", `a b"c"\n`, ["1:1 a", "1:3 bc"]],
  [
    "places what a variable splits into where the word began",
    `a "\${LIST[*]}" z\n`,
    ["1:1 a", "1:3 x", "1:4 y", "1:16 z"],
  ],
  ["ends a line at CRLF", "a b\r\nc\r\n", ["1:1 a", "1:3 b", "2:1 c"]],
  ["leaves out a line that cannot be cut", `a\nb "c\nd\n`, ["1:1 a", "3:1 d"]],
  ["leaves out a line with a carriage return inside", "a\nb\rc\nd\n", ["1:1 a", "3:1 d"]],
  ["reads nothing from nothing", "", []],
] as const) {
  test(rule, () => {
    const lines = readWords(text, "haproxy.cfg", { LIST: "x y" }, new Problems());
    const words = lines.flatMap((line) => line.words);
    assert.deepEqual(
      words.map(({ value, at }) => `${at.line}:${at.column} ${value}`),
      expected,
    );
  });
}
