import assert from "node:assert";
import {
  type ConnectionCounts,
  type LaneFacts,
  REASONS,
  type ReasonCode,
  type Tell,
} from "../events/index.ts";
import type { Backend } from "../model/index.ts";
import { type Connection, type ConnectionHandler, IGNORE, type NodeConnection } from "../socket/index.ts";
import type { Pool } from "../upstream/index.ts";
import { contained } from "./contained.ts";
import { createHttp1Relay } from "./http1/index.ts";
import { createHttp2Relay } from "./http2/index.ts";
import { type Approach, type Entrance, type Opened, openLane } from "./open.ts";
import { Parting } from "./parting.ts";
import type { Relay, RelayContext, RelayTimeouts, TunnelEnd } from "./relay.ts";
import type { Destination } from "./route.ts";
import { ServerLeg } from "./server-leg.ts";
import { createTunnel, type TunnelOptions } from "./tunnel.ts";
import { Waiting } from "./waiting.ts";

/** What all lanes of the process share. */
export interface Surroundings {
  readonly pools: ReadonlyMap<string, Pool>;
  readonly tell: Tell;
  readonly debug: boolean;
  readonly lanes: Set<Lane>;
  /** The gate is leaving: lanes ask their clients to go elsewhere. */
  draining: boolean;
  nextLaneId: number;
  /** Called when a lane is over and out of `lanes`. */
  laneClosed(): void;
}

const TIMER_MS_MAX = 2 ** 31 - 1;

type Phase = "opening" | "relay" | "closing" | "closed";

const next = {
  opening: ["relay", "closing", "closed"],
  relay: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
} as const satisfies Record<Phase, readonly Phase[]>;

/** Takes a freshly accepted connection through its whole life. Never rejects. */
export async function serveLane(
  raw: NodeConnection,
  entrance: Entrance,
  around: Surroundings,
): Promise<void> {
  const lane = new Lane(raw, entrance, around);
  try {
    const opened = await openLane(lane.approach(raw));
    if (opened === undefined) lane.turnAway();
    else lane.relay(opened);
  } catch (error) {
    lane.fail(error);
  }
}

/** One client connection bound to one upstream connection for its whole life. */
export class Lane {
  readonly facts: LaneFacts;
  readonly #entrance: Entrance;
  readonly #around: Surroundings;
  readonly #startedAt = performance.now();
  readonly #gone = new AbortController();
  #phase: Phase = "opening";
  #client: Connection;
  #clientWaiting = new Waiting();
  #clientEnded = false;
  #server: Connection | undefined;
  #leg: ServerLeg | undefined;
  #backend: Backend | undefined;
  #relay: Relay | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  readonly #partings = new Set<Parting>();

  constructor(raw: NodeConnection, entrance: Entrance, around: Surroundings) {
    this.#client = raw;
    this.#entrance = entrance;
    this.#around = around;
    this.facts = {
      laneId: around.nextLaneId++,
      clientAddress: raw.remoteAddress,
      clientPort: raw.remotePort,
      acceptedAtMs: Date.now(),
      frontend: entrance.frontend.name,
      frontendMode: entrance.frontend.mode,
      tls: entrance.bind.tls !== undefined,
      ...(raw.localAddress !== "" && { localAddress: raw.localAddress, localPort: raw.localPort }),
      serverName: undefined,
      alpn: undefined,
      backend: undefined,
      server: undefined,
      queueMs: -1,
      connectMs: -1,
      retries: 0,
    };
    around.lanes.add(this);
    entrance.open.count += 1;
  }

  get openRequests(): number {
    return this.#relay?.openRequests ?? 0;
  }

  /** What `openLane` works on. */
  approach(raw: NodeConnection): Approach {
    return {
      raw,
      entrance: this.#entrance,
      facts: this.facts,
      // Of a lane that the gate itself ended there is no failure to tell.
      tell: (event) => {
        if (this.#phase === "opening") this.#around.tell(event);
      },
      gone: this.#gone.signal,
      wait: (connection, halfClosed) => this.#wait(connection, halfClosed),
      routed: (destination: Destination | undefined) => this.#routed(destination),
    };
  }

  /** Lets bytes flow between both halves. */
  relay(opened: Opened): void {
    if (this.#phase !== "opening") {
      opened.client.destroy();
      return;
    }
    this.#enter("relay");
    const server = this.#leg?.connection;
    if (opened.protocol === "tcp") {
      if (server === undefined) this.#refuseTunnel(opened.initial.length);
      else this.#startTunnel(opened.client, server, opened.initial);
      return;
    }
    const context = this.#context(server);
    const relay = opened.protocol === "h2" ? createHttp2Relay(context) : createHttp1Relay(context);
    this.#relay = relay;
    this.#attach(server);
    if (this.#around.draining) relay.drain();
  }

  /** A client that has not said yet where it wants to go is not waited for. */
  drain(): void {
    if (this.#phase === "opening" && this.#leg === undefined) this.destroy();
    else this.#contain(() => this.#relay?.drain());
  }

  /** Ends the lane now, with what its relay still has to say. */
  abort(reason: ReasonCode): void {
    this.#contain(() => this.#relay?.abort(reason));
    this.destroy();
  }

  /** Nothing will come of it: what the client was told is flushed. */
  turnAway(): void {
    if (this.#client.destroyed) this.destroy();
    else this.#close();
  }

  /** A mistake of ours came to light on this lane: it ends, is told of, and nobody else notices. */
  readonly fail = (error: unknown): void => {
    this.destroy();
    const { clientAddress, clientPort } = this.facts;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    const text = `a fault of the gate itself ended the connection of ${clientAddress}:${clientPort}: ${message}`;
    this.#around.tell({ kind: "notice", level: "alert", text, stack });
  };

  /** Both legs go at once, without a flush. */
  destroy(): void {
    if (this.#phase === "closed") return;
    this.#enter("closed");
    this.#gone.abort();
    clearTimeout(this.#timer);
    for (const parting of this.#partings) parting.destroy();
    this.#partings.clear();
    for (const leg of [this.#client, this.#server ?? this.#leg?.connection]) {
      if (leg === undefined) continue;
      leg.handler = IGNORE;
      leg.destroy();
    }
    this.#leg?.release();
    this.#around.lanes.delete(this);
    this.#entrance.open.count -= 1;
    this.#around.laneClosed();
  }

  /** What was written is flushed, both sides are told the end, then the legs close. */
  #close(): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#enter("closing");
    this.#gone.abort();
    clearTimeout(this.#timer);
    const { clientFinMs, serverFinMs } = this.#timeouts();
    const server = this.#server ?? this.#leg?.connection;
    this.#part(this.#client, clientFinMs);
    if (server !== undefined) this.#part(server, serverFinMs);
    this.#leg?.release();
  }

  #part(connection: Connection, stallMs: number | undefined): void {
    const parting = new Parting(connection, stallMs, () => {
      this.#partings.delete(parting);
      if (this.#partings.size === 0) this.destroy();
    });
    this.#partings.add(parting);
  }

  #enter(phase: Phase): void {
    const allowed: readonly Phase[] = next[this.#phase];
    assert(allowed.includes(phase), `a lane cannot go from ${this.#phase} to ${phase}`);
    this.#phase = phase;
  }

  /**
   * Keeps what the client does until the relay stands.
   * @param halfClosed  a client that has sent FIN may still be served
   */
  #wait(connection: Connection, halfClosed: boolean): void {
    this.#client = connection;
    this.#clientWaiting = new Waiting((how) => {
      // Nobody is left to be served: a dial under way is given up.
      if (how === "closed" || !halfClosed) this.#gone.abort();
    });
    connection.handler = this.#clientWaiting;
  }

  #routed(destination: Destination | undefined): ServerLeg {
    this.#backend = destination?.backend;
    this.facts.backend = destination?.backend.name;
    const pool = destination === undefined ? undefined : this.#around.pools.get(destination.backend.name);
    this.#leg = new ServerLeg(pool, this.facts, this.#gone.signal);
    return this.#leg;
  }

  #attach(server: Connection | undefined): void {
    this.#attachServer(server);
    this.#client.resume();
    const handler: ConnectionHandler = {
      data: (chunk) => this.#relay?.clientData(chunk),
      drain: () => this.#relay?.clientDrain(),
      end: () => {
        this.#clientEnded = true;
        this.#relay?.clientEnd();
      },
      closed: (code) => {
        this.#relay?.clientClosed(code);
        this.destroy();
      },
    };
    this.#clientWaiting.handOver(this.#client, contained(handler, this.fail));
  }

  #attachServer(server: Connection | undefined): void {
    this.#server = server;
    if (server === undefined) return;
    server.resume();
    const handler: ConnectionHandler = {
      data: (chunk) => this.#relay?.serverData(chunk),
      drain: () => this.#relay?.serverDrain(),
      end: () => this.#relay?.serverEnd(),
      closed: (code) => {
        this.#leg?.release();
        this.#server = undefined;
        this.#relay?.serverClosed(code);
      },
    };
    this.#leg?.handOver(server, contained(handler, this.fail));
  }

  #context(server: Connection | undefined): RelayContext {
    const { frontend } = this.#entrance;
    const backend = this.#backend;
    const forwardFor = frontend.forwardFor && (backend?.forwardFor ?? true);
    return {
      facts: this.facts,
      client: this.#client,
      server,
      noServer: this.#leg?.failure ?? "no_route",
      guards: backend === undefined ? [] : this.#entrance.guardsFor(backend),
      timeouts: this.#timeouts(),
      headBytesMax: frontend.headBytesMax,
      forwardedFor: forwardFor ? this.facts.clientAddress : undefined,
      kubernetes: backend?.kubernetes ?? true,
      debug: this.#around.debug,
      tell: this.#around.tell,
      counts: () => this.#counts(),
      now: () => performance.now(),
      wallClock: () => Date.now(),
      wake: (atMs) => this.#wake(atMs),
      redial: () => this.#redial(),
      becomeTunnel: (early, ended) => this.#becomeTunnel(early, ended),
      close: () => this.#close(),
      destroy: () => this.destroy(),
      failed: this.fail,
    };
  }

  #timeouts(): RelayTimeouts {
    const front = this.#entrance.frontend.timeouts;
    const back = this.#backend?.timeouts;
    return {
      clientMs: front.clientMs,
      serverMs: back?.serverMs,
      httpRequestMs: front.httpRequestMs ?? front.clientMs,
      httpKeepAliveMs: front.httpKeepAliveMs ?? front.httpRequestMs ?? front.clientMs,
      tunnelMs: back?.tunnelMs,
      clientFinMs: front.clientFinMs,
      serverFinMs: back?.serverFinMs,
    };
  }

  #counts(): ConnectionCounts {
    return {
      process: this.#around.lanes.size,
      frontend: this.#entrance.open.count,
      // HAProxy has let go of the server by the time it logs, so these two are the others.
      ...(this.#leg?.others ?? { backend: 0, server: 0 }),
    };
  }

  async #redial(): Promise<Connection | undefined> {
    const former = this.#server;
    if (former !== undefined) {
      former.handler = IGNORE;
      former.destroy();
      this.#server = undefined;
    }
    const server = await this.#leg?.dial(["http/1.1"]);
    if (this.#phase !== "relay") {
      server?.destroy();
      return undefined;
    }
    this.facts.retries += 1;
    this.#attachServer(server);
    return server;
  }

  // Tunnels.

  #startTunnel(client: Connection, server: Connection, initial: Buffer): void {
    const { tunnelMs, clientMs, serverMs, ...fin } = this.#timeouts();
    // Without `timeout tunnel` the sides' own idleness counts (HAProxy manual §4.2 `timeout tunnel`).
    const idleMs = tunnelMs ?? shorter(clientMs, serverMs);
    this.#relay = createTunnel({
      ...this.#tunnelOptions(client, server),
      kind: "tcp",
      tunnelMs: idleMs,
      clientFinMs: fin.clientFinMs,
      serverFinMs: fin.serverFinMs,
      ended: (end) => this.#tellLane({ ...end, bytesToServer: end.bytesToServer + initial.length }),
    });
    if (initial.length > 0) server.write(initial);
    this.#attach(server);
  }

  #becomeTunnel(early: Parameters<RelayContext["becomeTunnel"]>[0], ended: (end: TunnelEnd) => void): void {
    const server = this.#server;
    assert(server !== undefined, "a tunnel needs a server");
    const { tunnelMs, clientMs, serverMs, clientFinMs, serverFinMs } = this.#timeouts();
    this.#relay = createTunnel({
      ...this.#tunnelOptions(this.#client, server),
      kind: "upgraded",
      tunnelMs: tunnelMs ?? shorter(clientMs, serverMs),
      clientFinMs,
      serverFinMs,
      ended,
    });
    this.#client.resume();
    server.resume();
    if (early.toClient !== undefined) this.#relay.serverData(early.toClient);
    if (early.toServer !== undefined) this.#relay.clientData(early.toServer);
    if (this.#clientEnded) this.#relay.clientEnd();
  }

  #tunnelOptions(
    client: Connection,
    server: Connection,
  ): Pick<TunnelOptions, "client" | "server" | "now" | "wake" | "close" | "destroy"> {
    return {
      client,
      server,
      now: () => performance.now(),
      wake: (atMs) => this.#wake(atMs),
      close: () => this.#close(),
      destroy: () => this.destroy(),
    };
  }

  /**
   * Mode tcp has no answer to give: the client is cut, the log says why.
   * @param bytesToServer  what the client sent for it: with a ClientHello it is no probe for `dontlognull`
   */
  #refuseTunnel(bytesToServer: number): void {
    const reason = this.#leg?.failure ?? "no_route";
    const termination = reason === "client_gone" ? "CC" : REASONS[reason].termination;
    this.#tellLane({ bytesToClient: 0, bytesToServer, termination, reason });
    this.destroy();
  }

  #tellLane(end: TunnelEnd): void {
    this.#around.tell({
      kind: "lane",
      lane: this.facts,
      totalMs: performance.now() - this.#startedAt,
      bytesToClient: end.bytesToClient,
      bytesFromClient: end.bytesToServer,
      termination: end.termination,
      reason: end.reason,
      counts: this.#counts(),
    });
  }

  // One timer a lane: a deadline that moves away costs nothing, it is looked at when the earlier one has passed.

  #wake(atMs: number): void {
    if (atMs >= this.#timerAt || this.#phase !== "relay") return;
    clearTimeout(this.#timer);
    this.#timerAt = atMs;
    const inMs = Math.min(Math.max(Math.ceil(atMs - performance.now()), 1), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#look(), inMs);
  }

  #look(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#contain(() => {
      const at = this.#relay?.checkTimeouts(performance.now()) ?? Number.POSITIVE_INFINITY;
      if (Number.isFinite(at)) this.#wake(at);
    });
  }

  #contain(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }
}

function shorter(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
