import { ErrorCode, Http2ConnectionError } from "../../wire/http2/index.ts";

/** One peer does too much of something; `side` is to blame, whoever's bytes were being read. */
export class FloodError extends Http2ConnectionError {
  readonly side: "client" | "server";

  constructor(side: "client" | "server", message: string) {
    super(ErrorCode.ENHANCE_YOUR_CALM, message);
    this.side = side;
  }
}

/** A bucket: `burst` at once, `perSecond` after that. */
class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #filledAt: number;

  constructor(nowMs: number, burst: number, perSecond: number) {
    this.#filledAt = nowMs;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  earn(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }

  take(nowMs: number): boolean {
    if (this.#left < 1) {
      const earned = ((nowMs - this.#filledAt) / 1_000) * this.#perSecond;
      this.#filledAt = nowMs;
      this.#left = Math.min(this.#burst, this.#left + earned);
      if (this.#left < 1) return false;
    }
    this.#left -= 1;
    return true;
  }
}

/**
 * What one peer may do that costs it little and us, or the other peer, much (RFC 9113 §10.5; CVE-2019-9511 to 9518,
 * CVE-2023-44487 rapid reset, CVE-2025-8671 where the server is made to reset). The numbers are far above what kubectl,
 * client-go, gRPC, curl or a browser do; the one for resets is nghttp2's.
 */
export class Floods {
  readonly #side: "client" | "server";
  readonly #resets: Allowance;
  readonly #settings: Allowance;
  readonly #pings: Allowance;
  readonly #priorities: Allowance;
  readonly #emptyData: Allowance;
  readonly #unknown: Allowance;
  readonly #windowUpdates: Allowance;

  constructor(side: "client" | "server", nowMs: number) {
    this.#side = side;
    this.#resets = new Allowance(nowMs, 1_000, 33);
    this.#settings = new Allowance(nowMs, 100, 10);
    this.#pings = new Allowance(nowMs, 1_000, 100);
    this.#priorities = new Allowance(nowMs, 2_000, 100);
    this.#emptyData = new Allowance(nowMs, 1_000, 100);
    this.#unknown = new Allowance(nowMs, 1_000, 100);
    this.#windowUpdates = new Allowance(nowMs, 20_000, 2_000);
  }

  /** A stream ended without an answer. */
  reset(nowMs: number): void {
    if (!this.#resets.take(nowMs)) throw new FloodError(this.#side, "too many resets");
  }

  settings(nowMs: number): void {
    if (!this.#settings.take(nowMs)) throw new FloodError(this.#side, "too many SETTINGS");
  }

  ping(nowMs: number): void {
    if (!this.#pings.take(nowMs)) throw new FloodError(this.#side, "too many PINGs");
  }

  priority(nowMs: number): void {
    if (!this.#priorities.take(nowMs)) throw new FloodError(this.#side, "too many PRIORITY frames");
  }

  emptyData(nowMs: number): void {
    if (!this.#emptyData.take(nowMs)) throw new FloodError(this.#side, "too many empty DATA frames");
  }

  unknown(nowMs: number): void {
    if (!this.#unknown.take(nowMs)) throw new FloodError(this.#side, "too many frames of unknown types");
  }

  windowUpdate(nowMs: number): void {
    if (!this.#windowUpdates.take(nowMs)) throw new FloodError(this.#side, "too many WINDOW_UPDATEs");
  }

  /** DATA went to this peer: it may grant more in return, an update for the stream and one for the connection each KB. */
  dataWasSent(bytes: number): void {
    this.#windowUpdates.earn(2 + bytes / 512);
  }
}
