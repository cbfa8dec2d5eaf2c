import assert from "node:assert";
import { REASONS, type ReasonCode } from "../../events/index.ts";
import {
  ErrorCode,
  goawayFrame,
  Http2ConnectionError,
  Setting,
  settingsFrame,
} from "../../wire/http2/index.ts";
import type { Relay, RelayContext } from "../relay.ts";
import { ClientSide } from "./client-side.ts";
import { Exchange } from "./exchange.ts";
import { FloodError } from "./floods.ts";
import { ServerSide } from "./server-side.ts";
import { STREAMS_MAX } from "./settings.ts";
import { Timeouts } from "./timeouts.ts";

/** Frames of the gate's own that may wait for a client's window or for a frame's end. */
const KEPT_BYTES_MAX = 262_144;
/** How long a lane without a server stays for more requests after its first answer; the next lane dials again. */
const LOCAL_LIFE_MS = 250;

const next = {
  open: ["draining", "closed"],
  draining: ["closed"],
  closed: [],
} as const satisfies Record<Phase, readonly Phase[]>;

type Phase = "open" | "draining" | "closed";

/** The h2 part of a lane: frames from one leg to the other, or a server of its own where there is none. */
export function createHttp2Relay(context: RelayContext): Relay {
  return new Http2Relay(context);
}

class Http2Relay implements Relay {
  readonly #context: RelayContext;
  readonly #exchange: Exchange;
  readonly #clientSide: ClientSide;
  readonly #serverSide: ServerSide;
  readonly #timeouts: Timeouts;
  readonly #startedAt: number;
  #phase: Phase = "open";
  #wakeAt = Number.POSITIVE_INFINITY;
  #clientPaused = false;
  #serverPaused = false;
  /** The client does not read, and what waits for it is the gate's own: it must not be let make more of it. */
  #clientOwes = false;
  #bytesFromClient = 0;
  /** When a lane without a server says goodbye. */
  #localEndAt = Number.POSITIVE_INFINITY;

  constructor(context: RelayContext) {
    this.#context = context;
    this.#exchange = new Exchange(context);
    this.#clientSide = new ClientSide(this.#exchange);
    this.#serverSide = new ServerSide(this.#exchange);
    this.#timeouts = new Timeouts(this.#exchange, this.#clientSide);
    this.#startedAt = this.#exchange.nowMs;
    if (this.#exchange.isLocal) this.#beServer();
    this.#finishTurn();
  }

  get openRequests(): number {
    return this.#exchange.streams.size;
  }

  // Bytes.

  clientData(chunk: Buffer): void {
    if (!this.#beginTurn()) return;
    this.#bytesFromClient += chunk.length;
    try {
      this.#clientSide.feed(chunk);
    } catch (error) {
      this.#peerFailed("client", error);
      return;
    }
    // Each side's SETTINGS rule what the other may send.
    const { clientSettings } = this.#exchange;
    this.#serverSide.decoder.tableBytesMax = clientSettings.tableBytes;
    this.#serverSide.scanner.frameBytesMax = clientSettings.frameBytes;
    this.#finishTurn();
  }

  serverData(chunk: Buffer): void {
    if (!this.#beginTurn()) return;
    try {
      this.#serverSide.feed(chunk);
    } catch (error) {
      this.#peerFailed("server", error);
      return;
    }
    const { serverSettings } = this.#exchange;
    this.#clientSide.decoder.tableBytesMax = serverSettings.tableBytes;
    this.#clientSide.scanner.frameBytesMax = serverSettings.frameBytes;
    this.#finishTurn();
  }

  clientDrain(): void {
    this.#exchange.toClient.blocked = false;
    this.#clientOwes = false;
    this.#pauseOrResume();
  }

  serverDrain(): void {
    this.#exchange.toServer.blocked = false;
    this.#pauseOrResume();
  }

  // Ends.

  clientEnd(): void {
    this.clientClosed(undefined);
  }

  /** RFC 9113 §5.4.1 leaves nothing to say to a client that is gone; the server's leg goes at once. */
  clientClosed(_code: string | undefined): void {
    if (!this.#beginTurn()) return;
    for (const stream of this.#exchange.streams.all()) {
      this.#exchange.end(stream, stream.answeredAt < 0 ? "CH" : "CD", "client_gone");
    }
    this.#tellLaneWithoutRequests("CR", "client_gone_in_head");
    this.#enter("closed");
    this.#context.destroy();
  }

  serverEnd(): void {
    this.serverClosed(undefined);
  }

  serverClosed(_code: string | undefined): void {
    if (!this.#beginTurn()) return;
    this.#endStreams("server_closed", "server_gone");
    this.#leave("SC", "server_closed");
  }

  drain(): void {
    if (!this.#beginTurn() || this.#phase !== "open") return;
    this.#enter("draining");
    const { farewell, toClient, nowMs } = this.#exchange;
    farewell.announce(toClient, nowMs);
    this.#finishTurn();
  }

  abort(reason: ReasonCode): void {
    if (!this.#beginTurn()) return;
    this.#endStreams(reason, reason);
    this.#leave(REASONS[reason].termination, reason);
  }

  checkTimeouts(nowMs: number): number {
    if (!this.#beginTurn()) return Number.POSITIVE_INFINITY;
    const { farewell, toClient, streams, unfinished } = this.#exchange;
    unfinished.resetDue(nowMs, toClient);
    if (nowMs >= farewell.finalDueAt) farewell.finish(toClient, streams.lastId, ErrorCode.NO_ERROR);
    if (nowMs >= this.#localEndAt) {
      unfinished.resetDue(Number.POSITIVE_INFINITY, toClient);
      this.#leave("SC", this.#context.noServer);
      return Number.POSITIVE_INFINITY;
    }
    const verdict = this.#timeouts.check(nowMs);
    switch (verdict.kind) {
      case "slow-head":
        this.#endStreams("head_too_slow", "head_too_slow");
        this.#tellUnreadable("head_too_slow");
        this.#leave("cR", "head_too_slow");
        return Number.POSITIVE_INFINITY;
      case "idle":
        this.#leave("cR", "head_too_slow");
        return Number.POSITIVE_INFINITY;
      case "stuck": {
        const reason = verdict.side === "client" ? "client_idle" : "server_idle";
        this.#endStreams(reason, reason);
        this.#enter("closed");
        this.#context.destroy();
        return Number.POSITIVE_INFINITY;
      }
      case "wait":
        this.#settle();
        this.#wakeAt = this.#nextLook(verdict.untilMs);
        return this.#wakeAt;
    }
  }

  // A turn: one call from the lane, the clock read once, at most one write a leg.

  /** @returns whether the lane still lives */
  #beginTurn(): boolean {
    if (this.#phase === "closed") return false;
    this.#exchange.nowMs = Math.floor(this.#context.now());
    return true;
  }

  #finishTurn(): void {
    this.#settle();
    // A deadline that moves away costs nothing: it is looked at when the earlier one has passed.
    const at = this.#nextLook(this.#exchange.nowMs + this.#timeouts.shortestMs);
    if (at >= this.#wakeAt || this.#phase === "closed") return;
    this.#wakeAt = at;
    this.#context.wake(at);
  }

  #nextLook(untilMs: number): number {
    const { farewell, unfinished } = this.#exchange;
    return Math.min(untilMs, farewell.finalDueAt, unfinished.nextDueAt, this.#localEndAt);
  }

  #settle(): void {
    const exchange = this.#exchange;
    const { toClient, streams, farewell } = exchange;
    const added = toClient.addedBytes > 0;
    exchange.flush();
    if (toClient.blocked && added) this.#clientOwes = true;
    if (toClient.keptBytes > KEPT_BYTES_MAX && (toClient.dammed || toClient.midFrame)) {
      this.#peerFailed("client", new FloodError("client", "too many answers wait for the client's window"));
      return;
    }
    if (this.#phase === "draining" && farewell.isFinal && streams.size === 0) {
      this.#close();
      return;
    }
    if (exchange.isLocal && exchange.requests > 0) {
      this.#localEndAt = Math.min(this.#localEndAt, exchange.nowMs + LOCAL_LIFE_MS);
    }
    this.#pauseOrResume();
  }

  #pauseOrResume(): void {
    if (this.#phase === "closed") return;
    const { toClient, toServer, server } = this.#exchange;
    const client = this.#context.client;
    const pauseServer = toClient.blocked || toClient.dammed;
    if (pauseServer !== this.#serverPaused) {
      this.#serverPaused = pauseServer;
      if (pauseServer) server.pause();
      else server.resume();
    }
    const pauseClient = toServer.blocked || (toClient.blocked && this.#clientOwes);
    if (pauseClient !== this.#clientPaused) {
      this.#clientPaused = pauseClient;
      if (pauseClient) client.pause();
      else client.resume();
    }
  }

  // The lane's end.

  #enter(phase: Phase): void {
    const allowed: readonly Phase[] = next[this.#phase];
    assert(allowed.includes(phase), `an h2 relay cannot go from ${this.#phase} to ${phase}`);
    this.#phase = phase;
  }

  /**
   * Ends each open stream in a way that its client understands (DESIGN §4 "Upstream dies").
   * @param unanswered  for a request that the server may have carried out
   * @param begun       for an answer that cannot be completed: never a clean end
   */
  #endStreams(unanswered: ReasonCode, begun: ReasonCode): void {
    const exchange = this.#exchange;
    const maybe = unanswered === "server_closed" ? "" : "; the request may have been carried out";
    exchange.farewell.finish(exchange.toClient, exchange.streams.lastId, ErrorCode.NO_ERROR);
    for (const stream of exchange.streams.all()) {
      if (stream.answeredAt >= 0) {
        exchange.reset(stream, ErrorCode.INTERNAL_ERROR, ErrorCode.CANCEL, begun);
      } else if (stream.forwardedAt < 0 || isSafe(stream.method)) {
        // Nothing is lost by doing it again, and clients do so by themselves (RFC 9113 §8.7).
        exchange.reset(stream, ErrorCode.REFUSED_STREAM, ErrorCode.CANCEL, unanswered);
      } else if ("status" in REASONS[unanswered]) {
        exchange.resetAtServer(stream, ErrorCode.CANCEL);
        exchange.answer(stream, unanswered, `${REASONS[unanswered].sentence}${maybe}`);
      } else exchange.reset(stream, ErrorCode.INTERNAL_ERROR, ErrorCode.CANCEL, unanswered);
    }
  }

  #peerFailed(where: "client" | "server", error: unknown): void {
    if (!(error instanceof Http2ConnectionError)) throw error;
    const side = error instanceof FloodError ? error.side : where;
    if (side === "server") {
      const { toServer } = this.#exchange;
      toServer.add(goawayFrame(0, error.code, error.message));
      this.#endStreams("server_bad_response", "server_bad_response");
      this.#leave("PH", "server_bad_response");
      return;
    }
    const exchange = this.#exchange;
    exchange.farewell.finish(exchange.toClient, exchange.streams.lastId, error.code, error.message);
    if (exchange.streams.size === 0) this.#tellUnreadable("protocol_error");
    for (const stream of exchange.streams.all()) {
      exchange.resetAtServer(stream, ErrorCode.CANCEL);
      exchange.end(stream, REASONS.protocol_error.termination, "protocol_error");
    }
    this.#close();
  }

  /** Says goodbye and closes; the streams are already told of. */
  #leave(termination: string, reason: ReasonCode): void {
    const { farewell, toClient, streams } = this.#exchange;
    // Whoever never said anything gets no answer either. An error code would fail a client's first stream (Go).
    if (this.#bytesFromClient > 0) farewell.finish(toClient, streams.lastId, ErrorCode.NO_ERROR);
    this.#tellLaneWithoutRequests(termination, reason);
    this.#close();
  }

  #close(): void {
    this.#exchange.sayPreface();
    this.#exchange.flush();
    this.#enter("closed");
    this.#context.close();
  }

  /** What came was no request that could be read: HAProxy's `<BADREQ>`. */
  #tellUnreadable(reason: ReasonCode): void {
    const { streams, nowMs } = this.#exchange;
    const stream = streams.open(0);
    stream.method = "";
    stream.target = "";
    stream.authority = undefined;
    stream.userAgent = undefined;
    const since = this.#clientSide.incompleteSince;
    stream.headMs = -1;
    stream.startedAt = since < 0 ? nowMs : since;
    stream.startedAtMs = this.#context.wallClock() - (nowMs - stream.startedAt);
    this.#exchange.end(stream, REASONS[reason].termination, reason);
  }

  #tellLaneWithoutRequests(termination: string, reason: ReasonCode): void {
    const { requests, nowMs } = this.#exchange;
    if (requests > 0) return;
    this.#context.tell({
      kind: "lane",
      lane: this.#context.facts,
      totalMs: nowMs - this.#startedAt,
      bytesToClient: 0,
      bytesFromClient: this.#bytesFromClient,
      termination,
      reason,
      counts: this.#context.counts(),
    });
  }

  /** No server: the gate says its own SETTINGS, and `ClientSide` answers in the server's place. */
  #beServer(): void {
    const { toClient } = this.#exchange;
    const settings = settingsFrame([
      [Setting.MAX_CONCURRENT_STREAMS, STREAMS_MAX],
      [Setting.MAX_HEADER_LIST_SIZE, this.#context.headBytesMax],
    ]);
    toClient.pass(settings, 0, settings.length);
    toClient.frameEnds();
  }
}

/** kubectl and client-go repeat these by themselves. */
function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}
