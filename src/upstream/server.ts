import { isIP } from "node:net";
import type { ReasonCode, Tell } from "../events/index.ts";
import type { Backend, Server } from "../model/index.ts";
import type { DialFailure } from "./failure.ts";
import type { ReachTls } from "./reach.ts";
import { HostAddresses, type Lookup } from "./resolve.ts";
import { Tickets } from "./tickets.ts";
import type { ServerTrust } from "./trust.ts";

/** What a pool lends to each of its servers. */
export interface PoolSurroundings {
  readonly backend: Backend;
  readonly trustOf: (server: Server) => ServerTrust | undefined;
  readonly tell: Tell;
  readonly lookup: Lookup;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** ms since 1970. */
  readonly wallClock: () => number;
  readonly random: () => number;
  /** Servers that are up, by kind, for the events. */
  readonly left: () => { readonly active: number; readonly backup: number };
}

/** Looks after one server for as long as its pool runs: checks it, or probes it when it has no check. */
export interface Attendant {
  /** @param delayMs  before the first look */
  start(delayMs: number): void;
  stop(): void;
  dialFailed(): void;
  /** What a lane was told contradicts what is known of the server's protocols. */
  protocolsChanged(): void;
}

/** The same dial failure is told again only after this long, however often it comes and goes. */
const QUIET_MS = 60_000;

/** One server of a pool: its state, what it speaks, and how many lanes it carries. */
export class PoolServer {
  readonly server: Server;
  readonly around: PoolSurroundings;
  readonly host: HostAddresses;
  readonly tickets = new Tickets();
  attendant: Attendant | undefined;
  #up: boolean;
  #alpn: readonly string[] | undefined;
  #lanes = 0;
  #openStreams = 0;
  #dialsUnderWay = 0;
  #downReason: ReasonCode | undefined;
  /** The last failure told, when, and whether its end is still to be told. */
  #noted: ReasonCode | undefined;
  #notedAt = Number.NEGATIVE_INFINITY;
  #noteOpen = false;

  constructor(server: Server, around: PoolSurroundings) {
    this.server = server;
    this.around = around;
    this.host = new HostAddresses(server.host, around.lookup, around.now);
    this.#up = !server.disabled;
    // Without TLS there is no ALPN, and h2 by prior knowledge is not for API servers. A server that may not be
    // offered h2 has nothing to tell either.
    if (server.tls === undefined || !server.tls.alpn.includes("h2")) this.#alpn = ["http/1.1"];
  }

  get name(): string {
    return this.server.name;
  }

  /** As written, for messages: `api.internal:6443`. */
  get written(): string {
    const { host, port } = this.server;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Why it is down; undefined: it is up, or down by its line in the file. */
  get downReason(): ReasonCode | undefined {
    return this.#downReason;
  }

  /** What it speaks, best first; undefined: not learnt yet, so dial first and see. */
  get alpn(): readonly string[] | undefined {
    return this.#alpn;
  }

  /** What it chooses when offered both. */
  get prefers(): "h2" | "http/1.1" | undefined {
    if (this.#alpn === undefined) return undefined;
    return this.#alpn[0] === "h2" ? "h2" : "http/1.1";
  }

  /** Lanes that are bound to it. */
  get lanes(): number {
    return this.#lanes;
  }

  /** Requests and streams that run on those lanes, as far as the gate counts them (`countStreams`). */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** What `leastconn` compares: lanes, dials that may become lanes, and streams, before the weight. */
  get load(): number {
    return this.#lanes + this.#dialsUnderWay + this.#openStreams;
  }

  /** `maxconn` is reached. */
  get full(): boolean {
    const { connectionsMax } = this.server;
    return (
      connectionsMax !== undefined &&
      connectionsMax > 0 &&
      this.#lanes + this.#dialsUnderWay >= connectionsMax
    );
  }

  /** A lane is bound to this server; `release` when it is over. */
  acquire(): void {
    this.#lanes += 1;
  }

  release(): void {
    this.#lanes -= 1;
  }

  /** @param change  1 when a stream opens on one of its lanes, -1 when it ends */
  countStreams(change: number): void {
    this.#openStreams += change;
  }

  /** @param change  1 when a dial for a lane begins, -1 when it is over */
  countDials(change: number): void {
    this.#dialsUnderWay += change;
  }

  /** How TLS to this server is done, for a lane, a probe or a check; undefined: it speaks plain text. */
  tlsWant(want: {
    readonly alpn: readonly string[];
    /** The client's own name, where the server's SNI follows it. */
    readonly clientServerName: string | undefined;
    /** In place of the server's own (`check-sni`). */
    readonly sni?: string;
    readonly resume: boolean;
  }): ReachTls | undefined {
    const { tls } = this.server;
    if (tls === undefined) return undefined;
    const sni = want.sni ?? (tls.sni?.kind === "client" ? want.clientServerName : tls.sni?.name);
    return {
      policy: { trust: this.trust(), name: tls.verifyHost ?? sni },
      servername: serverNameToSend(sni),
      alpn: want.alpn.filter((protocol) => tls.alpn.includes(protocol)),
      tickets: want.resume ? this.tickets : undefined,
    };
  }

  trust(): ServerTrust {
    const trust = this.around.trustOf(this.server);
    if (trust === undefined) throw new Error(`no trust was made for server ${this.server.name}`);
    return trust;
  }

  learnt(alpn: readonly string[]): void {
    this.#alpn = alpn;
  }

  /** Takes it up or down and says so. Does nothing when that is no change. */
  change(up: boolean, reason: ReasonCode, detail: string, checkMs: number): void {
    if (this.#up === up || this.server.disabled) return;
    this.#up = up;
    this.#downReason = up ? undefined : reason;
    this.#noted = undefined;
    this.#noteOpen = false;
    const { tell, backend, left } = this.around;
    const { active, backup } = left();
    tell({
      kind: "server",
      backend: backend.name,
      server: this.name,
      up,
      reason,
      detail,
      checkMs: Math.round(checkMs),
      activeLeft: active,
      backupLeft: backup,
    });
  }

  /** Down as before, but now for another reason: the person who mends it wants to know. */
  stillDown(reason: ReasonCode, detail: string): void {
    this.#downReason = reason;
    this.note(reason, detail);
  }

  /** Says something that does not change its state. */
  note(reason: ReasonCode, detail: string): void {
    this.around.tell({
      kind: "server-note",
      backend: this.around.backend.name,
      server: this.name,
      reason,
      detail,
    });
  }

  /** A lane's dial failed although the server counts as up: told once per change of reason. */
  dialFailed(failure: DialFailure): void {
    if (failure.reason === "client_gone") return;
    this.attendant?.dialFailed();
    if (this.#up) this.noteFailure(failure);
  }

  noteFailure(failure: DialFailure): void {
    const now = this.around.now();
    if (failure.reason === this.#noted && now - this.#notedAt < QUIET_MS) return;
    this.#noted = failure.reason;
    this.#notedAt = now;
    this.#noteOpen = true;
    this.note(failure.reason, failure.detail);
  }

  /** Ends a failure that was told. */
  noteRecovery(): void {
    if (!this.#noteOpen) return;
    this.#noteOpen = false;
    this.note("check_passed", `${this.written} can be reached again`);
  }

  /** A lane's dial succeeded. @param offered  what ALPN was offered */
  dialWorked(offered: readonly string[], chosen: string | undefined): void {
    const speaksH2 = this.#alpn?.includes("h2");
    if (speaksH2 !== undefined && offered.includes("h2") && speaksH2 !== (chosen === "h2")) {
      this.attendant?.protocolsChanged();
    }
  }
}

/** RFC 6066 §3: an IP address is never sent as SNI. As a name to verify it counts all the same. */
export function serverNameToSend(name: string | undefined): string | undefined {
  return name === undefined || isIP(name) !== 0 ? undefined : name;
}
