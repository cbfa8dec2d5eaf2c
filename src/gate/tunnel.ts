import type { ReasonCode } from "../events/index.ts";
import type { Connection } from "../socket/connection.ts";
import type { Relay, TunnelEnd } from "./relay.ts";

export interface TunnelOptions {
  readonly client: Connection;
  readonly server: Connection;
  /**
   * `upgraded`: a Kubernetes stream, which a FIN from either side brings to its end within the fin time (a client that
   * leaves an upgraded stream sends FIN, and the API server may never answer it). `tcp`: half-closed stays half-closed.
   */
  readonly kind: "upgraded" | "tcp";
  /** Idleness of both directions; undefined: never. */
  readonly tunnelMs: number | undefined;
  readonly clientFinMs: number | undefined;
  readonly serverFinMs: number | undefined;
  now(): number;
  wake(atMs: number): void;
  /** Called once, when the tunnel is over; both legs are closed or destroyed by then. */
  ended(end: TunnelEnd): void;
  /** Flushes what was written and closes both legs; `destroy` does not flush. */
  close(): void;
  destroy(): void;
}

/** How long an upgraded stream may live on after one side said FIN, unless the configuration says otherwise. */
export const FIN_MS_DEFAULT = 10_000;

/** Bytes both ways, untouched, after an upgrade, in mode tcp and for TLS passthrough. */
export function createTunnel(options: TunnelOptions): Relay {
  return new Tunnel(options);
}

class Tunnel implements Relay {
  readonly #options: TunnelOptions;
  #bytesToClient = 0;
  #bytesToServer = 0;
  #activeAt: number;
  #finAt = Number.POSITIVE_INFINITY;
  #clientEnded = false;
  #serverEnded = false;
  #over = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#activeAt = options.now();
    if (options.tunnelMs !== undefined) options.wake(this.#activeAt + options.tunnelMs);
  }

  get openRequests(): number {
    return this.#over ? 0 : 1;
  }

  clientData(chunk: Buffer): void {
    this.#activeAt = this.#options.now();
    this.#bytesToServer += chunk.length;
    if (!this.#options.server.write(chunk)) this.#options.client.pause();
  }

  serverData(chunk: Buffer): void {
    this.#activeAt = this.#options.now();
    this.#bytesToClient += chunk.length;
    if (!this.#options.client.write(chunk)) this.#options.server.pause();
  }

  clientDrain(): void {
    this.#activeAt = this.#options.now();
    this.#options.server.resume();
  }

  serverDrain(): void {
    this.#activeAt = this.#options.now();
    this.#options.client.resume();
  }

  clientEnd(): void {
    this.#clientEnded = true;
    this.#options.server.end();
    this.#afterFin(this.#options.clientFinMs);
  }

  serverEnd(): void {
    this.#serverEnded = true;
    this.#options.client.end();
    this.#afterFin(this.#options.serverFinMs);
  }

  clientClosed(code: string | undefined): void {
    const inOrder = code === undefined && this.#clientEnded && this.#serverEnded;
    if (inOrder) this.#finish("--", undefined, "close");
    else this.#finish("CD", "client_gone", "destroy");
  }

  serverClosed(code: string | undefined): void {
    if (code === undefined && this.#serverEnded) this.#finish("--", undefined, "close");
    // A reset behind its FIN (it wants nothing more of the client): what it sent is whole, and still delivered.
    else this.#finish("SD", "server_gone", this.#serverEnded ? "close" : "destroy");
  }

  checkTimeouts(nowMs: number): number {
    if (this.#over) return Number.POSITIVE_INFINITY;
    if (nowMs >= this.#finAt) {
      this.#finish(
        this.#clientEnded ? "cD" : "sD",
        this.#clientEnded ? "client_gone" : "server_gone",
        "destroy",
      );
      return Number.POSITIVE_INFINITY;
    }
    const { tunnelMs } = this.#options;
    const idleAt = tunnelMs === undefined ? Number.POSITIVE_INFINITY : this.#activeAt + tunnelMs;
    if (nowMs >= idleAt) {
      this.#finish("cD", "tunnel_idle", "destroy");
      return Number.POSITIVE_INFINITY;
    }
    return Math.min(idleAt, this.#finAt);
  }

  /** A tunnel has no word for "please leave": it goes on until its end or `abort`. */
  drain(): void {}

  abort(reason: ReasonCode): void {
    this.#finish("K-", reason, "destroy");
  }

  #afterFin(configuredMs: number | undefined): void {
    if (this.#clientEnded && this.#serverEnded) {
      this.#finish("--", undefined, "close");
      return;
    }
    const finMs = configuredMs ?? (this.#options.kind === "upgraded" ? FIN_MS_DEFAULT : undefined);
    if (finMs === undefined) return;
    this.#finAt = this.#options.now() + finMs;
    this.#options.wake(this.#finAt);
  }

  #finish(termination: string, reason: ReasonCode | undefined, how: "close" | "destroy"): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.ended({
      bytesToClient: this.#bytesToClient,
      bytesToServer: this.#bytesToServer,
      termination,
      reason,
    });
    if (how === "close") this.#options.close();
    else this.#options.destroy();
  }
}
