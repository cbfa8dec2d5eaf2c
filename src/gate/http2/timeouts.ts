import { ErrorCode } from "../../wire/http2/index.ts";
import type { ClientSide } from "./client-side.ts";
import type { Exchange } from "./exchange.ts";
import type { Stream } from "./streams.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** What the passing of time demands of a lane. */
export type Verdict =
  | { readonly kind: "wait"; readonly untilMs: number }
  /** A head did not become whole in time. */
  | { readonly kind: "slow-head" }
  /** Nothing was asked for too long. */
  | { readonly kind: "idle" }
  /** A stream took too long in the middle of a frame: nothing else can go that way any more. */
  | { readonly kind: "stuck"; readonly side: "client" | "server" };

/**
 * HAProxy's timeouts with HAProxy's meaning (manual §4.2), each stream by its own idleness: `client` while it is the
 * client's turn, `server` while it is the server's, `http-request` for a head, `http-keep-alive` between requests. PINGs do
 * not count.
 */
export class Timeouts {
  /** The shortest of them: nothing new can be due sooner. */
  readonly shortestMs: number;
  readonly #exchange: Exchange;
  readonly #clientSide: ClientSide;
  readonly #clientMs: number;
  readonly #serverMs: number;
  readonly #headMs: number;
  readonly #keepAliveMs: number;

  constructor(exchange: Exchange, clientSide: ClientSide) {
    const { clientMs, serverMs, httpRequestMs, httpKeepAliveMs } = exchange.context.timeouts;
    this.#exchange = exchange;
    this.#clientSide = clientSide;
    this.#clientMs = clientMs ?? NEVER;
    this.#serverMs = serverMs ?? NEVER;
    this.#headMs = httpRequestMs ?? this.#clientMs;
    this.#keepAliveMs = httpKeepAliveMs ?? this.#clientMs;
    this.shortestMs = Math.min(this.#clientMs, this.#serverMs, this.#headMs, this.#keepAliveMs);
  }

  check(nowMs: number): Verdict {
    const { streams, requests, idleSince, toClient, toServer } = this.#exchange;
    const { incompleteSince } = this.#clientSide;
    let untilMs = NEVER;
    if (incompleteSince >= 0) {
      untilMs = incompleteSince + this.#headMs;
      if (untilMs <= nowMs) return { kind: "slow-head" };
    }
    if (streams.size === 0) {
      const idleUntil = idleSince + (requests === 0 ? this.#headMs : this.#keepAliveMs);
      if (idleUntil <= nowMs) return { kind: "idle" };
      return { kind: "wait", untilMs: Math.min(untilMs, idleUntil) };
    }
    for (const stream of streams.all()) {
      const clientsTurn = this.#isClientsTurn(stream);
      const at = stream.activeAt + (clientsTurn ? this.#clientMs : this.#serverMs);
      if (at > nowMs) untilMs = Math.min(untilMs, at);
      else {
        if (clientsTurn) this.#clientIsLate(stream);
        else this.#serverIsLate(stream);
        if ((clientsTurn ? toServer : toClient).midFrame)
          return { kind: "stuck", side: clientsTurn ? "client" : "server" };
      }
    }
    return { kind: "wait", untilMs: streams.size === 0 ? nowMs + this.#keepAliveMs : untilMs };
  }

  /** Its request is not complete, or it does not read what was answered. */
  #isClientsTurn(stream: Stream): boolean {
    const { toClient } = this.#exchange;
    return !stream.clientDone || toClient.blocked || toClient.dammed;
  }

  #clientIsLate(stream: Stream): void {
    this.#exchange.reset(stream, ErrorCode.CANCEL, ErrorCode.CANCEL, "client_idle");
  }

  #serverIsLate(stream: Stream): void {
    if (stream.answeredAt >= 0) {
      this.#exchange.reset(stream, ErrorCode.INTERNAL_ERROR, ErrorCode.CANCEL, "server_idle");
      return;
    }
    this.#exchange.resetAtServer(stream, ErrorCode.CANCEL);
    this.#exchange.answer(stream, "server_slow");
  }
}
