import { ErrorCode, resetFrame } from "../../wire/http2/index.ts";
import type { Outlet } from "./outlet.ts";

/** How long a client may take to notice by itself that its request is answered. */
const NOTICE_MS = 1_000;

/**
 * Requests that were answered here before their bodies had come. RFC 9113 §8.1 has them reset with NO_ERROR, so that the
 * client stops sending; but curl 7.88 forgets the answer when the reset reaches it while it sends. So it comes later, if
 * it must: the stream's window, which nobody opens any further, stops the client meanwhile.
 */
export class UnfinishedRequests {
  /** Stream → when to reset it, in the order of both. */
  readonly #dueAt = new Map<number, number>();

  get nextDueAt(): number {
    for (const dueAt of this.#dueAt.values()) return dueAt;
    return Number.POSITIVE_INFINITY;
  }

  add(streamId: number, nowMs: number): void {
    this.#dueAt.set(streamId, nowMs + NOTICE_MS);
  }

  /** The client has sent its end, or a reset of its own. */
  finished(streamId: number): void {
    if (this.#dueAt.size > 0) this.#dueAt.delete(streamId);
  }

  resetDue(nowMs: number, outlet: Outlet): void {
    for (const [streamId, dueAt] of this.#dueAt) {
      if (dueAt > nowMs) return;
      this.#dueAt.delete(streamId);
      outlet.add(resetFrame(streamId, ErrorCode.NO_ERROR));
    }
  }
}
