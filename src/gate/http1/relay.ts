import { REASONS, type ReasonCode } from "../../events/index.ts";
import { judge, type Permit } from "../../policy/guard.ts";
import { FAULTS, type Http1Fault, RequestReader, ResponseReader } from "../../wire/http1/index.ts";
import type { Relay, RelayContext } from "../relay.ts";
import { Deadlines } from "./deadlines.ts";
import * as when from "./endings.ts";
import { Exchange } from "./exchange.ts";
import { addClosingResponseHead, addRequestHead, forwardedForLine, requestFieldRule } from "./head-edits.ts";
import { Leg } from "./leg.ts";
import { refusalOf, sentenceWith } from "./local.ts";
import { Outgoing } from "./outgoing.ts";
import { Postponed } from "./postponed.ts";
import { enter, type Phase, type Standing } from "./standing.ts";

/** Heads of answers; API servers send a few hundred bytes. */
const RESPONSE_HEAD_BYTES_MAX = 131_072;

export function createHttp1Relay(context: RelayContext): Relay {
  return new Http1Relay(context);
}

class Http1Relay implements Relay, Standing {
  readonly #context: RelayContext;
  readonly #request: RequestReader;
  readonly #exchange: Exchange;
  readonly #out = new Outgoing();
  readonly #deadlines: Deadlines;
  readonly #forwardedFor: Buffer | undefined;
  #draining = false;
  // What deadlines and endings are decided by: standing.ts.
  readonly client: Leg;
  readonly server: Leg;
  readonly response = new ResponseReader(RESPONSE_HEAD_BYTES_MAX);
  readonly postponed = new Postponed();
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
    this.#deadlines = new Deadlines(context.timeouts, (atMs) => context.wake(atMs));
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
    if (this.phase === "idle") this.#beginRequest(this.client.activeAt);
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

  #beginRequest(startedAt: number): void {
    this.#enter("head");
    if (!this.isFirst) this.since = startedAt;
    this.#exchange.begin(startedAt);
    this.requestDone = false;
    this.responseDone = false;
    this.answerBegun = false;
    this.postponed.beginRequest();
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
      this.#answerLast("bad_request", sentenceWith("bad_request", `Connection names ${named}`));
      return false;
    }
    this.response.expect(request.method, request.asksUpgrade);
    if (this.server.connection === undefined) this.#redial().catch(this.#context.failed);
    else this.#enter("exchange");
    return true;
  }

  #takeRequestEnd(): void {
    this.requestDone = true;
    this.#flushToServer(this.#request.isPlainRead);
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
      if (isRepeatable) this.postponed.remember(bytes);
      if (this.phase === "redial") this.postponed.keepUnsent(bytes);
      else if (this.server.write(bytes, this.client.activeAt)) this.client.connection?.pause();
    }
  }

  #hold(chunk: Buffer): void {
    this.client.connection?.pause();
    if (!this.postponed.hold(chunk)) this.#cut("PR", "bad_request");
  }

  // The answer.

  serverData(chunk: Buffer): void {
    if (this.phase === "over") return;
    this.server.activeAt = this.#context.now();
    if (this.phase !== "exchange" || this.responseDone) {
      // Nothing was asked: the bytes reach nobody, and this server is not asked anything any more.
      this.server.connection?.destroy();
      this.#serverLeaves(false);
      return;
    }
    this.postponed.forget();
    const response = this.response;
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
    const response = this.response;
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
    const isFollowed = this.response.takeRest() !== undefined;
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
    this.#flushToClient();
    const early = { toClient: this.response.takeRest(), toServer: this.postponed.takeHeld() };
    this.#end();
    this.#context.becomeTunnel(early, (tunnel) => this.#exchange.endAsTunnel(tunnel));
  }

  /** Request and answer are complete, or need not be. */
  #finish(mustClose = false): void {
    this.#exchange.end("--", undefined, false, Math.max(this.server.activeAt, this.client.activeAt));
    const goesOn =
      !mustClose &&
      !this.#draining &&
      this.#request.keepsAlive &&
      this.response.keepsAlive &&
      this.server.connection !== undefined &&
      this.clientFinAt === Number.POSITIVE_INFINITY;
    if (!goesOn) {
      this.#close();
      return;
    }
    this.#enter("idle");
    this.since = this.server.activeAt;
    if (this.postponed.hasHeld) this.#readHeld();
    else this.#arm();
  }

  #readHeld(): void {
    const held = this.postponed.takeHeld();
    if (!this.server.isBlocked) this.client.connection?.resume();
    this.client.activeAt = this.#context.now();
    if (held !== undefined) this.#readRequest(held);
  }

  // Backpressure.

  clientDrain(): void {
    if (this.#drained(this.client, this.server)) this.server.connection?.resume();
  }

  serverDrain(): void {
    if (this.#drained(this.server, this.client) && !this.postponed.hasHeld) this.client.connection?.resume();
  }

  /** That leg took all that was written, so it is the other's turn again. */
  #drained(leg: Leg, other: Leg): boolean {
    if (!leg.isBlocked) return false;
    const now = this.#context.now();
    leg.drained(now);
    other.activeAt = now;
    this.#arm();
    return true;
  }

  // Who leaves, and what took too long: endings.ts decides.

  clientEnd(): void {
    this.#settle(when.clientEnds(this));
  }

  clientClosed(_code: string | undefined): void {
    this.#settle(when.clientCloses(this));
  }

  serverEnd(): void {
    this.#serverLeaves(true);
  }

  serverClosed(code: string | undefined): void {
    this.#serverLeaves(code === undefined);
  }

  #serverLeaves(inOrder: boolean): void {
    if (this.server.connection === undefined) return;
    this.server.leave();
    this.server.activeAt = this.#context.now();
    this.#settle(when.serverLeaves(this, inOrder));
  }

  checkTimeouts(nowMs: number): number {
    if (this.phase === "over") return Number.POSITIVE_INFINITY;
    const due = this.#deadlines.check(this, nowMs);
    if (typeof due === "number") return due;
    this.#settle(when.tooSlow(due, this));
    return Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    this.#deadlines.arm(this);
  }

  #settle(ending: when.Ending): void {
    switch (ending.kind) {
      case "ignore":
        return;
      case "close":
        this.#close();
        return;
      case "drop":
        this.#end();
        this.#context.destroy();
        return;
      case "finish":
        this.responseDone = true;
        this.#finish(true);
        return;
      case "linger":
        this.clientFinAt = this.#deadlines.afterClientFin(this.#context.now());
        this.#arm();
        return;
      case "repeat":
        this.postponed.repeat();
        this.#redial().catch(this.#context.failed);
        return;
      case "answer":
        this.#answerLast(ending.reason, undefined, ending.termination);
        return;
      case "cut":
        this.#cut(ending.termination, ending.reason);
    }
  }

  /** A server for a request of which it has seen nothing, or that may be repeated (DESIGN §4, retry). */
  async #redial(): Promise<void> {
    this.#enter("redial");
    this.client.connection?.pause();
    const connection = await this.#context.redial();
    if (this.phase !== "redial") return;
    this.server.replace(connection);
    if (connection === undefined) return this.#answerLast(this.#context.noServer);
    this.#enter("exchange");
    // The client may not have read the answer before this one yet: its drain lets the new server go on too.
    if (this.client.isBlocked) connection.pause();
    const now = this.#context.now();
    this.server.activeAt = now;
    this.client.activeAt = now;
    for (const bytes of this.postponed.takeUnsent()) this.server.write(bytes, now);
    if (!this.requestDone) this.#readHeld();
    else if (!this.server.isBlocked && !this.postponed.hasHeld) this.client.connection?.resume();
    this.#arm();
  }

  // What is refused.

  #refuseRequest(fault: Http1Fault = "bad_target"): void {
    if (fault === "connect") this.#exchange.takeRequest(this.#request, this.client.activeAt);
    const { reason, message } = refusalOf(fault);
    this.#answerLast(reason, message);
  }

  #refuseResponse(fault: Http1Fault = "bad_status_line"): void {
    const message = sentenceWith("server_bad_response", FAULTS[fault]);
    this.#answerLast("server_bad_response", message, this.answerBegun ? "PD" : undefined);
  }

  /** A guard's no to a well-formed request: the lane goes on where nothing of that request is still to come. */
  #answer(reason: ReasonCode, message: string | undefined): void {
    const request = this.#request;
    const isWhole = !request.hasBody && request.next() === "end" && request.takeRest() === undefined;
    const goesOn =
      isWhole && !this.client.isBehind && request.keepsAlive && !request.isHttp10 && !this.#draining;
    if (!goesOn || this.#context.server === undefined) {
      this.#answerLast(reason, message);
      return;
    }
    this.#exchange.answerLocally(reason, message, false);
    this.#enter("idle");
    this.since = this.client.activeAt;
    this.#arm();
  }

  /** Answers, or cuts where another answer has begun; the lane ends. */
  #answerLast(reason: ReasonCode, message?: string, termination?: string): void {
    if (this.answerBegun || REASONS[reason].status === undefined) {
      this.#cut(termination ?? REASONS[reason].termination, reason);
      return;
    }
    // No request is under way when none came in time; its answer is one all the same.
    if (this.phase === "idle") this.#beginRequest(this.since);
    // What the server got of this request must not look complete to it.
    if (this.phase === "exchange") this.server.connection?.destroy();
    this.#exchange.answerLocally(reason, message, true, termination);
    this.#close();
  }

  // Ends.
  drain(): void {
    this.#draining = true;
    // A client that has not asked anything yet is answered once, with `Connection: close`.
    if (this.phase === "idle" && !this.isFirst) this.#close();
  }

  abort(reason: ReasonCode): void {
    this.#settle(when.aborted(this, reason));
  }

  #cut(termination: string, reason: ReasonCode): void {
    if (this.phase === "idle") this.#beginRequest(this.since);
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
    this.postponed.clear();
  }

  /** The one place where the phase changes. */
  #enter(phase: Phase): void {
    this.phase = enter(this.phase, phase);
  }
}
