import type { ConnectionCounts, GateEvent, LaneFacts } from "../events/index.ts";
import { type Connection, type ConnectionHandler, IGNORE } from "../socket/connection.ts";
import type { RelayContext, TunnelEnd } from "./relay.ts";

/** A connection without a socket: keeps what was written and in which state it is. */
export class FakeConnection implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  handler: ConnectionHandler = IGNORE;
  readonly written: Buffer[] = [];
  /** What `write` answers: false stands for a slow reader. */
  hasRoom = true;
  pendingBytes = 0;
  paused = false;
  ended = false;
  destroyed = false;

  constructor(remoteAddress: string, remotePort: number) {
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  write(chunk: Buffer): boolean {
    if (this.destroyed || this.ended) return true;
    this.written.push(chunk);
    return this.hasRoom;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** All that was written, one character a byte. */
  get text(): string {
    return Buffer.concat(this.written).toString("latin1");
  }
}

/** What a lane lends to a relay, kept by hand: a clock that moves when told, events in a list. */
export class FakeLane implements RelayContext {
  readonly client = new FakeConnection("192.0.2.7", 50123);
  server: FakeConnection | undefined = new FakeConnection("10.1.0.11", 6443);
  readonly events: GateEvent[] = [];
  readonly facts: LaneFacts;
  readonly noServer: RelayContext["noServer"];
  readonly guards: RelayContext["guards"];
  readonly timeouts: RelayContext["timeouts"];
  readonly headBytesMax: number;
  readonly forwardedFor: string | undefined;
  readonly kubernetes: boolean;
  readonly debug: boolean;
  nowMs = 1_000;
  wokenAtMs = Number.POSITIVE_INFINITY;
  /** How the relay said the lane is over; the first word stands. */
  over: "close" | "destroy" | undefined;
  /** Each redial takes one; none left: undefined, as when no server can be had. */
  readonly redials: FakeConnection[] = [];
  redialled = 0;
  tunnel:
    | {
        readonly toClient: Buffer | undefined;
        readonly toServer: Buffer | undefined;
        end(end: TunnelEnd): void;
      }
    | undefined;

  constructor(options: Partial<RelayContext> = {}) {
    this.noServer = options.noServer ?? "no_server";
    this.guards = options.guards ?? [];
    this.timeouts = options.timeouts ?? {
      clientMs: undefined,
      serverMs: undefined,
      httpRequestMs: undefined,
      httpKeepAliveMs: undefined,
      tunnelMs: undefined,
      clientFinMs: undefined,
      serverFinMs: undefined,
    };
    this.headBytesMax = options.headBytesMax ?? 65_536;
    this.forwardedFor = options.forwardedFor;
    this.kubernetes = options.kubernetes ?? true;
    this.debug = options.debug ?? false;
    this.facts = options.facts ?? {
      laneId: 1,
      clientAddress: "192.0.2.7",
      clientPort: 50123,
      acceptedAtMs: this.wallClock(),
      frontend: "kubernetes",
      frontendMode: "http",
      tls: true,
      serverName: "api.example.com",
      alpn: undefined,
      backend: "apiservers",
      server: "one",
      queueMs: 0,
      connectMs: 1,
      retries: 0,
    };
  }

  tell = (event: GateEvent): void => {
    this.events.push(event);
  };

  failed = (error: unknown): void => {
    throw error;
  };

  counts(): ConnectionCounts {
    return { process: 1, frontend: 1, backend: 1, server: 1 };
  }

  now(): number {
    return this.nowMs;
  }

  wallClock(): number {
    return 1_790_000_000_000 + this.nowMs;
  }

  wake(atMs: number): void {
    this.wokenAtMs = Math.min(this.wokenAtMs, atMs);
  }

  async redial(): Promise<Connection | undefined> {
    this.redialled++;
    this.server = this.redials.shift();
    return this.server;
  }

  becomeTunnel(
    early: { readonly toClient: Buffer | undefined; readonly toServer: Buffer | undefined },
    ended: (end: TunnelEnd) => void,
  ): void {
    this.tunnel = { ...early, end: ended };
  }

  close(): void {
    this.over ??= "close";
  }

  destroy(): void {
    this.over ??= "destroy";
  }
}
