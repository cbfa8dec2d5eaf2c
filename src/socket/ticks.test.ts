import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { keepTicksFast } from "./ticks.ts";

/** ns of CPU a tick, the best of some rounds: another process must not decide. */
async function tickCost(): Promise<number> {
  const costs: number[] = [];
  for (let round = 0; round < 5; round++) costs.push(await oneRound(40_000));
  return Math.min(...costs);
}

function oneRound(ticks: number): Promise<number> {
  return new Promise((resolve) => {
    const before = process.cpuUsage();
    let left = ticks;
    const next = () => {
      if (--left > 0) process.nextTick(next);
      else {
        const { user, system } = process.cpuUsage(before);
        resolve(((user + system) * 1_000) / ticks);
      }
    };
    process.nextTick(next);
  });
}

test("a tick costs the same after full collections in quiet moments", async () => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  keepTicksFast();
  await tickCost();
  const before = await tickCost();
  for (let i = 0; i < 6; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect();
  }
  const after = await tickCost();
  assert.ok(
    after < 2.5 * before,
    `${after.toFixed(0)} ns a tick, before the collections ${before.toFixed(0)}`,
  );
});
