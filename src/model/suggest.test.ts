import assert from "node:assert/strict";
import { test } from "node:test";
import { closest } from "./suggest.ts";

const KNOWN = ["timeout", "option", "bind", "balance", "ssl", "crt", "local0", "local1", "local2"];

for (const [rule, word, expected] of [
  ["a letter left out", "timout", "timeout"],
  ["two letters that changed places", "blanace", "balance"],
  ["a wrong letter in a short word", "sst", "ssl"],
  ["upper case", "BIND", "bind"],
  ["nothing near", "stick-table", undefined],
  ["too much wrong for so short a word", "sxy", undefined],
  ["three words equally near: none is meant more than another", "local9", undefined],
  ["an empty word", "", undefined],
] as const) {
  test(`suggests for ${rule}`, () => assert.equal(closest(word, KNOWN), expected));
}
