import assert from "node:assert";
import { REASONS, type ReasonCode } from "../../events/index.ts";
import { judge, type Permit } from "../../policy/guard.ts";
import { FAULTS, type Http1Fault, RequestReader, ResponseReader } from "../../wire/http1/index.ts";
import { localAnswer } from "../answer.ts";
import type { Relay, RelayContext } from "../relay.ts";
import { Deadlines, type Waiting } from "./deadlines.ts";
import { Exchange } from "./exchange.ts";
import { addClosingResponseHead, addRequestHead, forwardedForLine, requestFieldRule } from "./head-edits.ts";
import { Leg } from "./leg.ts";
import { renderLocalAnswer } from "./local.ts";
import { Outgoing } from "./outgoing.ts";

/** Heads of answers; API servers send a few hundred bytes. */
const RESPONSE_HEAD_BYTES_MAX = 131_072;
/** What a client may send ahead of its turn: it is paused at once, so only what was under way comes. */
const HELD_BYTES_MAX = 262_144;
/** How long a client that has sent FIN is still answered, unless `timeout client-fin` says otherwise. */
const CLIENT_FIN_MS_DEFAULT = 10_000;

type Phase = "idle" | "head" | "redial" | "exchange" | "over";

const next = {
  /** Between requests. */
  idle: ["head", "over"],
  /** Some bytes of a request's head are there. */
  head: ["idle", "redial", "exchange", "over"],
  /** A request waits for a server. */
  redial: ["exchange", "over"],
  /** The request went out; it or its answer is not complete. */
  exchange: ["idle", "redial", "over"],
  /** Answered for the last time, cut, or handed to a tunnel. */
  over: [],
} as const satisfies Record<Phase, readonly Phase[]>;

export function createHttp1Relay(context: RelayContext): Relay {
  return new Http1Relay(context);
}

class Http1Relay implements Relay, Waiting {
  readonly #context: RelayContext;
  readonly #request: RequestReader;
  readonly #response = new ResponseReader(RESPONSE_HEAD_BYTES_MAX);
  readonly #exchange: Exchange;
  readonly #out = new Outgoing();
  readonly #deadlines = new Deadlines();
  readonly #forwardedFor: Buffer | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #draining = false;
  /** Bytes the client sent ahead of its turn. */
  #held: Buffer[] = [];
  /** What waits for a server. */
  #unsent: Buffer[] = [];
  /** The request as it was sent, while it may be sent once more: GET or HEAD, no body, no byte of an answer. */
  #repeatable: Buffer | undefined;
  #isRepeated = false;
  /** A byte of an answer came, be it interim. */
  #serverSpoke = false;
  // What the deadlines look at.
  readonly client: Leg;
  readonly server: Leg;
  phase: Phase = "idle";
  since: number;
  isFirst = true;
  requestDone = false;
  responseDone = false;
  answerBegun = false;
  clientFinAt = Number.POSITIVE_INFINITY;

  constructor(context: RelayContext) {
    this.#context = context;
    this.client = new Leg(context.client);
    this.server = new Leg(context.server);
    this.#request = new RequestReader(context.headBytesMax, requestFieldRule);
    this.#exchange = new Exchange(context);
    if (context.forwardedFor !== undefined) this.#forwardedFor = forwardedForLine(context.forwardedFor);
    this.since = context.now() - Math.max(0, context.wallClock() - context.facts.acceptedAtMs);
    this.#arm();
  }

  get openRequests(): number {
    return this.phase === "exchange" || this.phase === "redial" ? 1 : 0;
  }

  // The request.

  clientData(chunk: Buffer): void {
    if (this.phase === "over") return;
    this.client.activeAt = this.#context.now();
    if (this.phase === "redial" || (this.phase === "exchange" && this.requestDone)) this.#hold(chunk);
    else this.#readRequest(chunk);
  }

  #readRequest(chunk: Buffer): void {
    if (this.phase === "idle") this.#beginRequest();
    this.#exchange.bytesFromClient += chunk.length;
    const request = this.#request;
    request.feed(chunk);
    for (;;) {
      switch (request.next()) {
        case "head":
          if (!this.#takeRequestHead()) return;
          break;
        case "body":
          this.#out.add(request.bytes, request.from, request.to);
          break;
        case "end":
          this.#takeRequestEnd();
          return;
        case "more":
          this.#flushToServer(false);
          this.#arm();
          return;
        case "bad":
          this.#refuseRequest(request.fault);
          return;
      }
    }
  }

  #beginRequest(): void {
    this.#enter("head");
    const now = this.client.activeAt;
    if (!this.isFirst) this.since = now;
    this.#exchange.begin(now);
    this.requestDone = false;
    this.responseDone = false;
    this.answerBegun = false;
    this.#serverSpoke = false;
    this.#isRepeated = false;
  }

  /** @returns whether the request goes on to a server; if not, it is answered and this chunk is dealt with. */
  #takeRequestHead(): boolean {
    const request = this.#request;
    this.isFirst = false;
    this.#exchange.takeRequest(request, this.client.activeAt);
    if (this.#context.debug) this.#exchange.tellHead(request);
    const verdict = judge(this.#context.guards, {
      method: request.method,
      target: request.target,
      authority: request.authority,
      lane: this.#context.facts,
    });
    if (verdict.kind === "refuse") this.#answer(verdict.reason, verdict.message);
    else if (this.#context.server === undefined) this.#answerLast(this.#context.noServer);
    else return this.#forward(verdict);
    return false;
  }

  /** The one way to a server; the permit is the guards' word that this request may go there. */
  #forward(_permit: Permit): boolean {
    const request = this.#request;
    const named = addRequestHead(this.#out, request, this.#forwardedFor);
    if (named !== undefined) {
      this.#answerLast("bad_request", `${REASONS.bad_request.sentence}: Connection names ${named}`);
      return false;
    }
    this.#response.expect(request.method, request.asksUpgrade);
    if (this.server.connection === undefined) void this.#redial();
    else this.#enter("exchange");
    return true;
  }

  #takeRequestEnd(): void {
    this.requestDone = true;
    const { method, hasBody } = this.#request;
    this.#flushToServer(!hasBody && (method === "GET" || method === "HEAD"));
    // From here on it is the server's turn.
    this.server.activeAt = this.client.activeAt;
    const rest = this.#request.takeRest();
    if (rest !== undefined) {
      this.#exchange.bytesFromClient -= rest.length;
      this.#hold(rest);
    }
    if (this.responseDone) this.#finish();
    else this.#arm();
  }

  #flushToServer(isRepeatable: boolean): void {
    for (let bytes = this.#out.shift(); bytes !== undefined; bytes = this.#out.shift()) {
      if (isRepeatable) this.#repeatable = bytes;
      if (this.phase === "redial") this.#unsent.push(bytes);
      else if (this.server.write(bytes, this.client.activeAt)) this.client.connection?.pause();
    }
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    this.client.connection?.pause();
    const size = this.#held.reduce((sum, held) => sum + held.length, 0);
    if (size > HELD_BYTES_MAX) this.#cut("PR", "bad_request");
  }

  // The answer.

  serverData(chunk: Buffer): void {
    if (this.phase === "over") return;
    this.server.activeAt = this.#context.now();
    if (this.phase !== "exchange" || this.responseDone) {
      this.#refuseUnasked();
      return;
    }
    this.#serverSpoke = true;
    this.#repeatable = undefined;
    const response = this.#response;
    response.feed(chunk);
    for (;;) {
      switch (response.next()) {
        case "head":
          if (!this.#takeResponseHead()) return;
          break;
        case "body":
          this.#out.add(response.bytes, response.from, response.to);
          break;
        case "end":
          this.#takeResponseEnd();
          return;
        case "more":
          this.#flushToClient();
          return;
        case "bad":
          this.#refuseResponse(response.fault);
          return;
      }
    }
  }

  /** @returns whether HTTP goes on; after 101 it does not. */
  #takeResponseHead(): boolean {
    const response = this.#response;
    if (this.#context.debug) this.#exchange.tellHead(response);
    if (!response.isInterim) {
      this.answerBegun = true;
      this.#exchange.answered(response.status, this.server.activeAt);
    }
    if (this.#draining && response.keepsAlive && !response.isInterim && response.status !== 101) {
      addClosingResponseHead(this.#out, response);
    } else this.#out.add(response.bytes, response.from, response.to);
    if (response.status === 101) this.#becomeTunnel();
    return response.status !== 101;
  }

  #takeResponseEnd(): void {
    this.#flushToClient();
    this.responseDone = true;
    // Bytes behind an answer belong to no request: they go nowhere, and the lane ends with this answer.
    const isFollowed = this.#response.takeRest() !== undefined;
    if (this.requestDone || isFollowed) this.#finish(isFollowed);
    else this.#arm();
  }

  #flushToClient(): void {
    for (let bytes = this.#out.shift(); bytes !== undefined; bytes = this.#out.shift()) {
      this.#exchange.bytesToClient += bytes.length;
      if (!this.client.write(bytes, this.server.activeAt)) continue;
      this.server.connection?.pause();
      this.#arm();
    }
  }

  #becomeTunnel(): void {
    const exchange = this.#exchange;
    this.#flushToClient();
    const toClient = this.#response.takeRest();
    const toServer = this.#held.length > 0 ? Buffer.concat(this.#held) : undefined;
    this.#end();
    this.#context.becomeTunnel({ toClient, toServer }, (tunnel) => {
      exchange.bytesToClient += tunnel.bytesToClient;
      exchange.bytesFromClient += tunnel.bytesToServer;
      exchange.end(tunnel.termination, tunnel.reason, true);
    });
  }

  /** Request and answer are complete, or need not be. */
  #finish(mustClose = false): void {
    this.#exchange.end("--", undefined, false);
    const goesOn =
      !mustClose &&
      !this.#draining &&
      this.#request.keepsAlive &&
      this.#response.keepsAlive &&
      this.server.connection !== undefined &&
      this.clientFinAt === Number.POSITIVE_INFINITY;
    if (!goesOn) {
      this.#close();
      return;
    }
    this.#enter("idle");
    this.since = this.server.activeAt;
    if (this.#held.length > 0) this.#readHeld();
    else this.#arm();
  }

  #readHeld(): void {
    const held = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = [];
    if (!this.server.isBlocked) this.client.connection?.resume();
    this.client.activeAt = this.#context.now();
    this.#readRequest(held);
  }

  // Backpressure.

  clientDrain(): void {
    if (!this.client.isBlocked) return;
    const now = this.#context.now();
    this.client.drained(now);
    this.server.activeAt = now;
    this.server.connection?.resume();
    if (this.phase !== "over") this.#arm();
  }

  serverDrain(): void {
    if (!this.server.isBlocked) return;
    const now = this.#context.now();
    this.server.drained(now);
    this.client.activeAt = now;
    if (this.#held.length === 0) this.client.connection?.resume();
    if (this.phase !== "over") this.#arm();
  }

  // Who leaves.

  clientEnd(): void {
    switch (this.phase) {
      case "idle":
        this.#close();
        return;
      case "head":
        this.#answerLast("client_gone_in_head");
        return;
      case "redial":
      case "exchange":
        this.#clientEndsInExchange();
    }
  }

  /**
   * FIN behind a complete request may be a client that only ends its half (`nc`, HTTP/1.0 habits) or one that has left:
   * nothing on the wire tells them apart. An answer whose end is known, or not begun, is still delivered, for a while.
   * One that streams (a watch, a log) may last a day: there FIN means that nobody reads any more, as in HAProxy >= 3.3.
   */
  #clientEndsInExchange(): void {
    if (!this.requestDone) {
      this.#answerLast("client_gone_in_head", undefined, "CD");
    } else if (this.answerBegun && !this.#response.isCounted) {
      this.#cut("CD", "client_gone");
    } else {
      this.clientFinAt = this.#context.now() + (this.#context.timeouts.clientFinMs ?? CLIENT_FIN_MS_DEFAULT);
      this.#arm();
    }
  }

  clientClosed(_code: string | undefined): void {
    switch (this.phase) {
      case "idle":
        this.#end();
        this.#context.destroy();
        return;
      case "head":
        this.#cut("CR", "client_gone_in_head");
        return;
      case "redial":
        this.#cut("CC", "client_gone");
        return;
      case "exchange":
        this.#cut(this.requestDone && !this.answerBegun ? "CH" : "CD", "client_gone");
    }
  }

  serverEnd(): void {
    this.#serverLeaves(true);
  }

  serverClosed(code: string | undefined): void {
    this.#serverLeaves(code === undefined);
  }

  #serverLeaves(inOrder: boolean): void {
    if (this.phase === "over" || this.server.connection === undefined) return;
    this.server.replace(undefined);
    switch (this.phase) {
      case "idle":
        // As if the client were connected directly; but one that has not asked yet must not suffer: see #forward.
        if (!this.isFirst) this.#close();
        return;
      case "exchange":
        this.#serverLeavesInExchange(inOrder);
    }
  }

  #serverLeavesInExchange(inOrder: boolean): void {
    if (this.responseDone) this.#finish();
    else if (!this.#serverSpoke && this.#repeatable !== undefined && !this.#isRepeated) {
      this.#isRepeated = true;
      this.#unsent.push(this.#repeatable);
      void this.#redial();
    } else if (!this.answerBegun) this.#answerLast("server_closed");
    else if (inOrder && this.#response.endsWithConnection) {
      this.responseDone = true;
      this.#finish();
    } else this.#cut("SD", "server_gone");
  }

  /** A server for a request of which it has seen nothing, or that may be repeated (DESIGN §4, retry). */
  async #redial(): Promise<void> {
    this.#enter("redial");
    this.client.connection?.pause();
    const connection = await this.#context.redial();
    if (this.phase !== "redial") return;
    this.server.replace(connection);
    if (connection === undefined) {
      this.#answerLast(this.#context.noServer);
      return;
    }
    this.#enter("exchange");
    const now = this.#context.now();
    this.server.activeAt = now;
    this.client.activeAt = now;
    for (const bytes of this.#unsent) this.server.write(bytes, now);
    this.#unsent = [];
    if (!this.requestDone && this.#held.length > 0) this.#readHeld();
    else if (!this.server.isBlocked && this.#held.length === 0) this.client.connection?.resume();
    this.#arm();
  }

  // What is refused.

  #refuseRequest(fault: Http1Fault = "bad_target"): void {
    const exchange = this.#exchange;
    if (this.phase === "head") exchange.isHttp10 = this.#request.isHttp10;
    if (fault === "connect") {
      exchange.method = this.#request.method;
      exchange.target = this.#request.target;
      this.#answerLast("connect_refused");
    } else if (fault === "head_too_large" || fault === "too_many_fields") this.#answerLast("head_too_large");
    else this.#answerLast("bad_request", `${REASONS.bad_request.sentence}: ${FAULTS[fault]}`);
  }

  #refuseResponse(fault: Http1Fault = "bad_status_line"): void {
    if (this.answerBegun) this.#cut("PD", "server_bad_response");
    else {
      const sentence = `${REASONS.server_bad_response.sentence}: ${FAULTS[fault]}`;
      this.#answerLast("server_bad_response", sentence);
    }
  }

  /** Bytes from a server that was asked nothing: they reach nobody, and it is not asked anything any more. */
  #refuseUnasked(): void {
    this.server.connection?.destroy();
    this.#serverLeaves(false);
  }

  /** A guard's no to a well-formed request: the lane goes on where nothing of that request is still to come. */
  #answer(reason: ReasonCode, message: string | undefined): void {
    const request = this.#request;
    const isWhole = !request.hasBody && request.next() === "end" && request.takeRest() === undefined;
    const goesOn = isWhole && request.keepsAlive && !request.isHttp10 && !this.#draining;
    if (!goesOn || this.#context.server === undefined) {
      this.#answerLast(reason, message);
      return;
    }
    this.#writeAnswer(reason, message, false);
    this.#exchange.end(REASONS[reason].termination, reason, false);
    this.#enter("idle");
    this.since = this.client.activeAt;
    this.#arm();
  }

  /** Answers, or cuts where another answer has begun; the lane ends. */
  #answerLast(reason: ReasonCode, message?: string, termination = REASONS[reason].termination): void {
    if (this.answerBegun || REASONS[reason].status === undefined) {
      this.#cut(termination, reason);
      return;
    }
    // What the server got of this request must not look complete to it.
    if (this.phase === "exchange") this.server.connection?.destroy();
    this.#writeAnswer(reason, message, true);
    this.#exchange.end(termination, reason, false);
    this.#close();
  }

  #writeAnswer(reason: ReasonCode, message: string | undefined, closes: boolean): void {
    const exchange = this.#exchange;
    const answer = localAnswer(reason, exchange.target, this.#context.kubernetes, message);
    const bytes = renderLocalAnswer(answer, exchange.method === "HEAD", closes);
    exchange.status = answer.status;
    exchange.bytesToClient += bytes.length;
    if (this.client.write(bytes, this.client.activeAt)) this.server.connection?.pause();
  }

  // Time and ends.

  checkTimeouts(nowMs: number): number {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    if (this.phase === "over") return Number.POSITIVE_INFINITY;
    this.client.noteProgress(nowMs);
    this.server.noteProgress(nowMs);
    this.#deadlines.look(this, this.#context.timeouts);
    if (this.#deadlines.at <= nowMs) {
      this.#takesTooLong(nowMs);
      return Number.POSITIVE_INFINITY;
    }
    this.#wakesAt = this.#deadlines.at;
    return this.#wakesAt;
  }

  #takesTooLong(nowMs: number): void {
    switch (this.#deadlines.due) {
      case "head":
        this.client.activeAt = nowMs;
        if (this.phase === "idle") this.#beginRequest();
        this.#answerLast("head_too_slow");
        return;
      case "keep-alive":
        this.#close();
        return;
      case "client":
        this.#cut("cD", "client_idle");
        return;
      case "server-head":
        this.#answerLast("server_slow");
        return;
      case "server-data":
        this.#cut("sD", "server_idle");
        return;
      case "client-fin":
        this.#cut(this.answerBegun ? "CD" : "CH", "client_gone");
    }
  }

  #arm(): void {
    this.#deadlines.look(this, this.#context.timeouts);
    if (this.#deadlines.at >= this.#wakesAt) return;
    this.#wakesAt = this.#deadlines.at;
    this.#context.wake(this.#wakesAt);
  }

  drain(): void {
    this.#draining = true;
    // A client that has not asked anything yet is answered once, with `Connection: close`.
    if (this.phase === "idle" && !this.isFirst) this.#close();
  }

  abort(reason: ReasonCode): void {
    if (this.phase === "over") return;
    if (this.phase !== "idle") {
      this.#cut(REASONS[reason].termination, reason);
      return;
    }
    this.#end();
    this.#context.destroy();
  }

  #cut(termination: string, reason: ReasonCode): void {
    this.#exchange.end(termination, reason, false);
    this.#end();
    this.#context.destroy();
  }

  #close(): void {
    this.#end();
    this.#context.close();
  }

  #end(): void {
    this.#enter("over");
    this.#out.clear();
    this.#held = [];
    this.#unsent = [];
    this.#repeatable = undefined;
  }

  /** The one place where the phase changes. */
  #enter(phase: Phase): void {
    const allowed: readonly Phase[] = next[this.phase];
    assert(allowed.includes(phase), `an h1 lane cannot go from ${this.phase} to ${phase}`);
    this.phase = phase;
  }
}
