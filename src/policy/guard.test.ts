import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ask, type Guard, judge, PASS } from "./guard.ts";
import { testAsk } from "./testing.ts";

const refuse: Guard = () => ({ kind: "refuse", reason: "denied", message: "no" });

test("no guards, or guards that pass, give a permit", () => {
  assert.equal(judge([], testAsk({})).kind, "permit");
  assert.equal(judge([() => PASS, () => PASS], testAsk({})).kind, "permit");
});

test("the first refusal wins, and later guards are not asked", () => {
  const never: Guard = () => assert.fail("asked");
  assert.deepEqual(judge([() => PASS, refuse, never], testAsk({})), {
    kind: "refuse",
    reason: "denied",
    message: "no",
  });
});

test("a guard sees the request as it was sent", () => {
  const ask = testAsk({ method: "POST", target: "/x?y=1", authority: "B.example.com:6443" });
  const seen: Ask[] = [];
  const look: Guard = (one) => {
    seen.push(one);
    return PASS;
  };
  judge([look], ask);
  assert.deepEqual(seen, [ask]);
});
