import type { LaneFacts, ReasonCode } from "../events/index.ts";

/** What a guard is asked about: one request, before it goes on. */
export interface Ask {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  /** `Host` or `:authority` as sent; undefined when there was none. */
  readonly authority: string | undefined;
  readonly lane: LaneFacts;
}

export interface Refusal {
  readonly kind: "refuse";
  readonly reason: ReasonCode;
  /** In place of the reason's own sentence. */
  readonly message?: string;
}

export type Verdict = { readonly kind: "pass" } | Refusal;

/** Judges one request. Runs in the hot path: no allocation on a pass. */
export type Guard = (ask: Ask) => Verdict;

export const PASS: Verdict = { kind: "pass" };

declare const permitted: unique symbol;
/** Proof that every guard was asked; only `judge` makes one, and forwarding a request demands it. */
export interface Permit {
  readonly kind: "permit";
  readonly [permitted]: true;
}

const PERMIT = { kind: "permit" } as Permit;

/** Asks each guard in order; the first refusal wins. */
export function judge(guards: readonly Guard[], ask: Ask): Permit | Refusal {
  for (const guard of guards) {
    const verdict = guard(ask);
    if (verdict.kind === "refuse") return verdict;
  }
  return PERMIT;
}
