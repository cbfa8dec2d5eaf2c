import type { LaneFacts, ReasonCode } from "../events/index.ts";
import type { Connection, ConnectionHandler } from "../socket/index.ts";
import { dialWithRetries, type Pool, type PoolServer } from "../upstream/index.ts";
import { Waiting } from "./waiting.ts";

/** The upstream half of a lane: its place in the pool and its connection, through retries and redials. */
export class ServerLeg {
  readonly pool: Pool | undefined;
  readonly #facts: LaneFacts;
  readonly #gone: AbortSignal;
  #place: PoolServer | undefined;
  #connection: Connection | undefined;
  #waiting = new Waiting();
  #alpn: string | undefined;
  #failure: ReasonCode;

  /** @param pool  undefined: no route led anywhere. */
  constructor(pool: Pool | undefined, facts: LaneFacts, gone: AbortSignal) {
    this.pool = pool;
    this.#facts = facts;
    this.#gone = gone;
    this.#failure = pool === undefined ? "no_route" : "no_server";
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** What the server answered to ALPN; undefined: nothing, so it speaks HTTP/1.1. */
  get alpn(): string | undefined {
    return this.#alpn;
  }

  /** The server closed again while its client was still on the way. */
  get isLeft(): boolean {
    return this.#connection !== undefined && this.#waiting.isLeft;
  }

  /** Why there is no connection. */
  get failure(): ReasonCode {
    return this.#failure;
  }

  /** Lanes beside this one: of its whole pool, and of its server. */
  get others(): { readonly backend: number; readonly server: number } {
    const own = this.#place === undefined ? 0 : 1;
    return { backend: (this.pool?.lanes ?? 0) - own, server: (this.#place?.lanes ?? 0) - own };
  }

  pick(): PoolServer | undefined {
    return this.pool?.pick({ clientAddress: this.#facts.clientAddress });
  }

  /**
   * Dials, trying other servers where that can help. A former connection is given up first. The new one is paused, and
   * what its server does is kept for `handOver`.
   * @param offer  ALPN protocols, best first
   * @param first  the server already picked
   */
  async dial(offer: readonly string[], first?: PoolServer): Promise<Connection | undefined> {
    this.#connection?.destroy();
    this.release();
    if (this.pool === undefined) return undefined;
    const server = first ?? this.pick();
    if (server === undefined) {
      this.#failure = this.pool.noServer;
      return undefined;
    }
    const outcome = await dialWithRetries(this.pool, {
      first: server,
      alpn: offer,
      clientAddress: this.#facts.clientAddress,
      clientServerName: this.#facts.serverName,
      gone: this.#gone,
    });
    this.#facts.retries += outcome.retries;
    this.#facts.server = outcome.server.name;
    if (outcome.kind === "failed") {
      this.#failure = outcome.reason;
      return undefined;
    }
    this.#facts.queueMs = 0;
    this.#facts.connectMs = outcome.connectMs;
    if (this.#gone.aborted) {
      outcome.connection.destroy();
      this.#failure = "client_gone";
      return undefined;
    }
    this.#place = outcome.server;
    this.#place.acquire();
    this.#connection = outcome.connection;
    this.#waiting = new Waiting();
    outcome.connection.handler = this.#waiting;
    this.#alpn = outcome.alpn;
    return outcome.connection;
  }

  /** From now on `handler` hears of the connection, beginning with what it has missed. */
  handOver(connection: Connection, handler: ConnectionHandler): void {
    this.#waiting.handOver(connection, handler);
  }

  /** Leaves the place in the pool; the connection, if any, must be closed by then. */
  release(): void {
    this.#place?.release();
    this.#place = undefined;
    this.#connection = undefined;
  }

  /** A protocol was agreed with the client that this server does not speak. */
  mismatch(): void {
    this.#connection?.destroy();
    this.release();
    this.#failure = "server_tls_failed";
  }
}
