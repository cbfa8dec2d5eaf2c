import assert from "node:assert/strict";
import { test } from "node:test";
import { readCases } from "../../../test/haproxy-cases.ts";
import { settle } from "../../model/index.ts";
import { readHaproxy } from "./index.ts";

/** Whatever a person may have saved half way, the reader answers with problems and never throws. */
const texts = readCases().map(({ input }) => input);

function read(text: string): void {
  const { draft, problems } = readHaproxy(text, "haproxy.cfg", {});
  const settled = settle(draft);
  for (const { at } of [...problems, ...settled.problems]) assert.ok(at.line >= 1 && at.column >= 1);
  if (problems.some(({ severity }) => severity === "error")) assert.equal(settled.configuration, undefined);
}

test("reads every beginning of every case", () => {
  for (const text of texts) for (let end = 0; end < text.length; end += 29) read(text.slice(0, end));
});

test("reads every case with a word left out, doubled, or put elsewhere", () => {
  for (const [index, text] of texts.entries()) {
    const words = text.split(/(?<=\s)/);
    for (let at = index % 11; at < words.length; at += 11) {
      read(words.toSpliced(at, 1).join(""));
      read(words.toSpliced(at, 0, words[at]!).join(""));
      read(words.toSpliced(at, 1, words[(at * 7) % words.length]!).join(""));
    }
  }
});

test("reads lines of nothing but signs", () => {
  for (const sign of [
    '"',
    "'",
    "\\",
    "$",
    "${",
    '"${',
    "#",
    "!",
    "{",
    "}",
    "{ }",
    "no",
    "%[",
    "\0",
    "\x1b[31m",
    "@",
    ":",
    ",",
  ]) {
    for (const start of [
      "",
      "global\n ",
      "frontend f\n bind ",
      "backend b\n server ",
      "frontend f\n use_backend b if ",
      "frontend f\n acl a ",
    ]) {
      read(`${start}${sign}\n`);
    }
  }
});
