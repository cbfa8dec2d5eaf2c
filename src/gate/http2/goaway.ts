import { randomBytes } from "node:crypto";
import {
  ErrorCode,
  FRAME_HEAD_BYTES,
  goawayFrame,
  pingFrame,
  read31,
  STREAM_ID_MAX,
} from "../../wire/http2/index.ts";
import type { Outlet } from "./outlet.ts";

/** A client that does not answer a PING in this time is told the last stream all the same. */
const ROUND_TRIP_MS_MAX = 5_000;

type Phase = "staying" | "announced" | "final";

/**
 * How a lane takes leave of its client (RFC 9113 §6.8): GOAWAY with the highest id there is, one round trip, so that what
 * was on its way is still served, then the real one. Also the keeper of the rule that a last-stream id never rises.
 */
export class Farewell {
  /** When to stop waiting for the PING's answer. */
  finalDueAt = Number.POSITIVE_INFINITY;
  /** The last stream that the server will serve. */
  servedUpTo = STREAM_ID_MAX;
  #phase: Phase = "staying";
  /** What the client was told, by the server or by the gate. */
  #told = STREAM_ID_MAX;
  #ping: Buffer | undefined;

  /** The client has the gate's own last word: what it opens now is not served, and it knows. */
  get isFinal(): boolean {
    return this.#phase === "final";
  }

  get isAnnounced(): boolean {
    return this.#phase === "announced";
  }

  announce(outlet: Outlet, nowMs: number): void {
    if (this.#phase !== "staying") return;
    this.#phase = "announced";
    this.#ping = randomBytes(8);
    this.finalDueAt = nowMs + ROUND_TRIP_MS_MAX;
    outlet.add(goawayFrame(this.#told, ErrorCode.NO_ERROR));
    outlet.add(pingFrame(this.#ping, false));
  }

  /** Whether a PING's answer is for the gate. */
  isAnswered(bytes: Buffer, start: number): boolean {
    if (this.#ping === undefined) return false;
    if (this.#ping.compare(bytes, start + FRAME_HEAD_BYTES, start + FRAME_HEAD_BYTES + 8) !== 0) return false;
    this.#ping = undefined;
    return true;
  }

  /** The last word. @param lastId  the last stream that was looked at */
  finish(outlet: Outlet, lastId: number, code: number, debug?: string): void {
    // Said once; but an error is worth another word.
    if (this.#phase === "final" && code === ErrorCode.NO_ERROR) return;
    this.#phase = "final";
    this.finalDueAt = Number.POSITIVE_INFINITY;
    this.#told = Math.min(this.#told, lastId);
    outlet.add(goawayFrame(this.#told, code, debug));
  }

  /** A GOAWAY of the server is about to pass; an id above what the client knows already is lowered in place. */
  pass(bytes: Buffer, start: number): void {
    const at = start + FRAME_HEAD_BYTES;
    const lastId = read31(bytes, at);
    this.servedUpTo = Math.min(this.servedUpTo, lastId);
    this.#told = Math.min(this.#told, lastId);
    if (this.#told !== lastId) bytes.writeUInt32BE(this.#told, at);
  }
}
