import assert from "node:assert/strict";
import { test } from "node:test";
import { afterCheck, checkIntervalMs, FRESH, type Health, isUp } from "./health.ts";
import { CHECK } from "./testing.ts";

/** A run of checks: `+` passed, `-` failed; the state after each: `U` up, `D` down. */
const rows = [
  { rule: "one failure before the first success downs a server", rise: 2, fall: 3, checks: "-", states: "D" },
  {
    rule: "after a success it takes `fall` failures in a row",
    rise: 2,
    fall: 3,
    checks: "+---",
    states: "UUUD",
  },
  {
    rule: "a success between failures starts their count anew",
    rise: 2,
    fall: 3,
    checks: "+--+--",
    states: "UUUUUU",
  },
  {
    rule: "a down server rises after `rise` successes in a row",
    rise: 2,
    fall: 3,
    checks: "-++",
    states: "DDU",
  },
  {
    rule: "a failure while rising starts the count anew",
    rise: 3,
    fall: 3,
    checks: "-++-+++",
    states: "DDDDDDU",
  },
  { rule: "a risen server has its whole `fall` again", rise: 2, fall: 3, checks: "-++--", states: "DDUUU" },
  { rule: "rise 1 and fall 1 follow every check", rise: 1, fall: 1, checks: "+-+-", states: "UDUD" },
];

for (const { rule, rise, fall, checks, states } of rows) {
  test(rule, () => {
    let health: Health = FRESH;
    let seen = "";
    for (const result of checks) {
      health = afterCheck(health, result === "+", { rise, fall });
      seen += isUp(health) ? "U" : "D";
    }
    assert.equal(seen, states);
  });
}

test("the interval follows the phase: inter, fastinter in between, downinter (HAProxy §5.2)", () => {
  const check = { ...CHECK, interMs: 2000, fastInterMs: 500, downInterMs: 9000 };
  const interval = (phase: Health["phase"]) => checkIntervalMs({ phase, count: 0 }, check);
  assert.deepEqual(
    [interval("fresh"), interval("up"), interval("failing"), interval("down"), interval("rising")],
    [500, 2000, 500, 9000, 500],
  );
  assert.equal(
    checkIntervalMs({ phase: "down", count: 0 }, { interMs: 2000, rise: 2, fall: 3, tls: false }),
    2000,
  );
});
