import assert from "node:assert";
import type { Check } from "../model/index.ts";

/**
 * Where a checked server stands. Up: `fresh` (believed, not yet proven), `up`, `failing` (some checks failed).
 * Down: `down`, `rising` (some checks passed).
 */
export type Phase = "fresh" | "up" | "failing" | "down" | "rising";

export interface Health {
  readonly phase: Phase;
  /** Results in a row against the present state. */
  readonly count: number;
}

const next = {
  fresh: ["up", "down"],
  up: ["up", "failing", "down"],
  failing: ["failing", "up", "down"],
  down: ["down", "rising", "up"],
  rising: ["rising", "up", "down"],
} as const satisfies Record<Phase, readonly Phase[]>;

/** A server starts up, but one failure before the first success downs it (HAProxy manual §5.2 `check`). */
export const FRESH: Health = { phase: "fresh", count: 0 };

export function isUp({ phase }: Health): boolean {
  return phase === "fresh" || phase === "up" || phase === "failing";
}

/** The one place where a phase follows another (HAProxy manual §5.2 `rise`, `fall`). */
export function afterCheck(
  health: Health,
  passed: boolean,
  { rise, fall }: Pick<Check, "rise" | "fall">,
): Health {
  const following = passed ? afterPass(health, rise) : afterFailure(health, fall);
  const allowed: readonly Phase[] = next[health.phase];
  assert(allowed.includes(following.phase), `a server cannot go from ${health.phase} to ${following.phase}`);
  return following;
}

function afterPass(health: Health, rise: number): Health {
  if (isUp(health) || health.count + 1 >= rise) return { phase: "up", count: 0 };
  return { phase: "rising", count: health.count + 1 };
}

function afterFailure(health: Health, fall: number): Health {
  // One failure while rising starts the count anew.
  if (health.phase === "fresh" || !isUp(health)) return { phase: "down", count: 0 };
  return health.count + 1 >= fall
    ? { phase: "down", count: 0 }
    : { phase: "failing", count: health.count + 1 };
}

/** From the start of one check to the start of the next. */
export function checkIntervalMs({ phase }: Health, check: Check): number {
  if (phase === "up") return check.interMs;
  if (phase === "down") return check.downInterMs ?? check.interMs;
  return check.fastInterMs ?? check.interMs;
}
