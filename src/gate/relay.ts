import type { ConnectionCounts, LaneFacts, ReasonCode, Tell } from "../events/index.ts";
import type { Guard } from "../policy/guard.ts";
import type { Connection } from "../socket/connection.ts";

/**
 * A protocol's part of a lane: bytes of one leg in, bytes to the other out. http1/, http2/ and tunnel.ts have one each.
 * The lane owns both connections and the clock, calls these methods, and never two at once.
 * A relay pauses and resumes the legs by itself (backpressure), and says through the context when the lane is over.
 */
export interface Relay {
  clientData(chunk: Buffer): void;
  serverData(chunk: Buffer): void;
  /** Room again on that leg after its `write` returned false. */
  clientDrain(): void;
  serverDrain(): void;
  /** FIN from that leg. */
  clientEnd(): void;
  serverEnd(): void;
  /** That leg is closed, in order or not; nothing more can be written to it. */
  clientClosed(code: string | undefined): void;
  serverClosed(code: string | undefined): void;
  /**
   * Looks for what took too long.
   * @returns when to look again, in ms of `context.now()`; Infinity when nothing is awaited.
   */
  checkTimeouts(nowMs: number): number;
  /** The gate wants to stop: ask the client to leave when its requests are done (GOAWAY, Connection: close). */
  drain(): void;
  /** End now, with what must still be told of open requests: the reload or the grace period demands it. */
  abort(reason: ReasonCode): void;
  /** Requests under way (h1: 0 or 1; h2: open streams; a tunnel: 1). */
  readonly openRequests: number;
}

export interface RelayTimeouts {
  readonly clientMs: number | undefined;
  readonly serverMs: number | undefined;
  readonly httpRequestMs: number | undefined;
  readonly httpKeepAliveMs: number | undefined;
  readonly tunnelMs: number | undefined;
  readonly clientFinMs: number | undefined;
  readonly serverFinMs: number | undefined;
}

/** What a lane lends to its relay. */
export interface RelayContext {
  readonly facts: LaneFacts;
  readonly client: Connection;
  /** Undefined: no server could be reached (`noServer` says why) and every request is answered by the gate. */
  readonly server: Connection | undefined;
  readonly noServer: ReasonCode;
  readonly guards: readonly Guard[];
  readonly timeouts: RelayTimeouts;
  readonly headBytesMax: number;
  /** The value for X-Forwarded-For; undefined: none is added (a client's own is removed all the same). */
  readonly forwardedFor: string | undefined;
  /** The backend is a Kubernetes API: local answers are `Status` objects. */
  readonly kubernetes: boolean;
  /** Tell request heads as they pass (`debug`); their secrets must be left out by the relay. */
  readonly debug: boolean;
  readonly tell: Tell;
  counts(): ConnectionCounts;
  /** Monotonic, ms, may be a fraction. */
  now(): number;
  /** Wall clock, ms since 1970. */
  wallClock(): number;
  /** The relay's next deadline moved nearer: the lane must call `checkTimeouts` by then. A later one needs no call. */
  wake(atMs: number): void;
  /**
   * h1 only: gives up the present server connection and dials again (a retry that DESIGN §4 allows).
   * Resolves to undefined when none can be had. The lane updates `facts.server` and `facts.retries`.
   */
  redial(): Promise<Connection | undefined>;
  /**
   * h1 only: the exchange became a tunnel. The lane puts a tunnel relay in place of this one; both heads are already
   * relayed. `early` are bytes that came behind the heads and go first.
   * @param ended  called once when the tunnel is over, with the bytes each side was sent, so that the relay can tell
   *               the request's end.
   */
  becomeTunnel(
    early: { readonly toClient: Buffer | undefined; readonly toServer: Buffer | undefined },
    ended: (end: TunnelEnd) => void,
  ): void;
  /** The lane is over: what was written is flushed, then both legs close. Safe to call again. */
  close(): void;
  /** The lane is over and broken: both legs are destroyed at once. */
  destroy(): void;
  /** For what is thrown where the lane cannot catch it, behind an `await`: a mistake of ours, which ends this lane. */
  readonly failed: (error: unknown) => void;
}

export interface TunnelEnd {
  readonly bytesToClient: number;
  readonly bytesToServer: number;
  /** Two characters: `--`, `cD`, `CD`, `SD`, `sD`, `K-`. */
  readonly termination: string;
  readonly reason: ReasonCode | undefined;
}
