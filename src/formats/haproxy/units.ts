import type { Located, Problems } from "../../model/index.ts";
import type { Line } from "./line.ts";
import type { Word } from "./words.ts";

/** HAProxy's `TIMER_MAX`: 2^31 − 1 ms. */
const TIME_MS_MAX = 2_147_483_647;

const TIME_UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** HAProxy manual §2.5: an integer and a unit, bare numbers are milliseconds. */
export function readTimeMs(line: Line, what: string, minMs = 0): Located<number> | undefined {
  const word = line.expect(what, "a time such as 10s, 5m or 24h");
  return word === undefined ? undefined : timeMs(word, what, line.problems, minMs);
}

function timeMs(word: Word, what: string, problems: Problems, minMs: number): Located<number> | undefined {
  const found = /^(\d+)(us|ms|s|m|h|d)?$/.exec(word.value);
  if (found === null) {
    const hint = /^\d+[.,]\d/.test(word.value)
      ? "there are no fractions: write 1500ms for one and a half seconds"
      : "an integer and one of us, ms, s, m, h, d, such as 10s or 24h";
    problems.error(word.at, `${what}: "${word.value}" is not a time`, hint);
    return undefined;
  }
  const ms = Math.ceil(Number(found[1]) * TIME_UNITS[found[2] ?? "ms"]!);
  if (ms > TIME_MS_MAX) {
    problems.error(
      word.at,
      `${what}: ${word.value} is too long`,
      "at most 2147483647 ms, a little below 25 days: 24d",
    );
    return undefined;
  }
  if (ms < minMs) {
    problems.error(word.at, `${what} must be at least ${minMs} ms`);
    return undefined;
  }
  if (found[2] === undefined && ms > 0 && ms < 100) {
    problems.warning(
      word.at,
      `${what}: ${word.value} without a unit means milliseconds`,
      `write ${word.value}s or ${word.value}ms`,
    );
  }
  return { value: ms, at: word.at };
}

export function readInteger(
  line: Line,
  what: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): Located<number> | undefined {
  const word = line.expect(what, "an integer");
  if (word === undefined) return undefined;
  if (!/^-?\d+$/.test(word.value)) {
    line.problems.error(word.at, `${what}: "${word.value}" is not an integer`);
    return undefined;
  }
  const value = Number(word.value);
  if (value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `between ${min} and ${max}`;
    line.problems.error(word.at, `${what} must be ${range}, not ${word.value}`);
    return undefined;
  }
  return { value, at: word.at };
}

/** Bytes; `k`, `m` and `g` count by 1024 (HAProxy ≥ 3.0). */
export function readSize(line: Line, what: string, min: number): Located<number> | undefined {
  const word = line.expect(what, "a number of bytes");
  if (word === undefined) return undefined;
  const found = /^(\d+)([kmg])?$/i.exec(word.value);
  if (found === null) {
    line.problems.error(word.at, `${what}: "${word.value}" is not a number of bytes`);
    return undefined;
  }
  const value = Number(found[1]) * 1024 ** " kmg".indexOf((found[2] ?? " ").toLowerCase());
  if (value < min || value > 2_147_483_647) {
    line.problems.error(word.at, `${what} must be between ${min} and 2147483647 bytes`);
    return undefined;
  }
  return { value, at: word.at };
}
