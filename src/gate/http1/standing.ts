import assert from "node:assert";
import type { ResponseReader } from "../../wire/http1/index.ts";
import type { Leg } from "./leg.ts";
import type { Postponed } from "./postponed.ts";

export type Phase = "idle" | "head" | "redial" | "exchange" | "over";

const next = {
  /** Between requests. */
  idle: ["head", "over"],
  /** Some bytes of a request's head are there. */
  head: ["idle", "redial", "exchange", "over"],
  /** A request waits for a server. */
  redial: ["exchange", "over"],
  /** The request went out; it or its answer is not complete. */
  exchange: ["idle", "redial", "over"],
  /** Answered for the last time, cut, or handed to a tunnel. */
  over: [],
} as const satisfies Record<Phase, readonly Phase[]>;

/** @returns the phase to be in now; throws when there is no way from the one to the other. */
export function enter(from: Phase, to: Phase): Phase {
  const allowed: readonly Phase[] = next[from];
  // Not as an argument of `assert`: the sentence would be made at every step.
  if (!allowed.includes(to)) assert.fail(`an h1 lane cannot go from ${from} to ${to}`);
  return to;
}

/** How far a relay has come: all that deadlines and endings are decided by. Moments are ms of the lane's clock. */
export interface Standing {
  readonly phase: Phase;
  /** Begin of the phase; of the first request's head: the accept. */
  readonly since: number;
  /** No request was read on this lane yet. */
  readonly isFirst: boolean;
  readonly client: Leg;
  readonly server: Leg;
  readonly requestDone: boolean;
  readonly postponed: Pick<Postponed, "isRepeatable">;
  readonly responseDone: boolean;
  /** The answer's own head went to the client, so no other answer can. */
  readonly answerBegun: boolean;
  /** The answer's reader knows how its body ends. */
  readonly response: Pick<ResponseReader, "isCounted" | "endsWithConnection">;
  /** When a client that sent FIN has had its time; Infinity: it sent none. */
  readonly clientFinAt: number;
}
