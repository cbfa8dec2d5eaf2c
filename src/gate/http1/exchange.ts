import { REASONS, type ReasonCode, type RequestEnded } from "../../events/index.ts";
import { REDACTED, redactHeader, redactTarget } from "../../kubernetes/redact.ts";
import type { RequestReader } from "../../wire/http1/index.ts";
import { localAnswer } from "../answer.ts";
import type { RelayContext, TunnelEnd } from "../relay.ts";
import { renderLocalAnswer } from "./local.ts";

/** The numbers of one request and its answer, from the first byte until it is told. One object serves a whole lane. */
export class Exchange {
  readonly #context: RelayContext;
  #startedAt = 0;
  #startedAtMs = 0;
  #headAt = -1;
  #responseAt = -1;
  method: string | undefined;
  target: string | undefined;
  authority: string | undefined;
  userAgent: string | undefined;
  isHttp10 = false;
  /** The status the client saw; -1: none yet. */
  status = -1;
  bytesFromClient = 0;
  bytesToClient = 0;

  constructor(context: RelayContext) {
    this.#context = context;
  }

  begin(nowMs: number): void {
    this.#startedAt = nowMs;
    this.#startedAtMs = this.#context.wallClock();
    this.#headAt = -1;
    this.#responseAt = -1;
    this.method = undefined;
    this.target = undefined;
    this.authority = undefined;
    this.userAgent = undefined;
    this.isHttp10 = false;
    this.status = -1;
    this.bytesFromClient = 0;
    this.bytesToClient = 0;
  }

  takeRequest(request: RequestReader, nowMs: number): void {
    this.#headAt = nowMs;
    this.method = request.method;
    this.target = request.target;
    this.authority = request.authority;
    this.userAgent = request.userAgent;
    this.isHttp10 = request.isHttp10;
  }

  answered(status: number, nowMs: number): void {
    this.status = status;
    this.#responseAt = nowMs;
  }

  /** @param termination  two characters (HAProxy manual §8.5); the two for cookies, which a gate never looks at, follow */
  end(
    termination: string,
    reason: ReasonCode | undefined,
    upgraded: boolean,
    nowMs = this.#context.now(),
  ): void {
    const context = this.#context;
    const event: RequestEnded = {
      kind: "request",
      lane: context.facts,
      startedAtMs: this.#startedAtMs,
      headMs: elapsed(this.#startedAt, this.#headAt),
      responseMs: elapsed(this.#headAt, this.#responseAt),
      totalMs: elapsed(this.#startedAt, nowMs),
      status: this.status,
      bytesToClient: this.bytesToClient,
      bytesFromClient: this.bytesFromClient,
      method: this.method,
      target: this.target,
      authority: this.authority,
      version: this.isHttp10 ? "HTTP/1.0" : "HTTP/1.1",
      userAgent: this.userAgent,
      termination: `${termination}--`,
      reason,
      counts: context.counts(),
      upgraded,
    };
    context.tell(event);
  }

  endAsTunnel(tunnel: TunnelEnd): void {
    this.bytesToClient += tunnel.bytesToClient;
    this.bytesFromClient += tunnel.bytesToServer;
    this.end(tunnel.termination, tunnel.reason, true);
  }

  /** Answers in the server's place, and tells the end. */
  answerLocally(
    reason: ReasonCode,
    message: string | undefined,
    closes: boolean,
    termination: string = REASONS[reason].termination,
  ): void {
    const { client, kubernetes } = this.#context;
    const answer = localAnswer(reason, this.target, kubernetes, message);
    const bytes = renderLocalAnswer(answer, this.method === "HEAD", closes);
    this.status = answer.status;
    this.bytesToClient += bytes.length;
    client.write(bytes);
    this.end(termination, reason, false);
  }

  /** Tells a head as it passes, without its secrets. */
  tellHead(head: { readonly bytes: Buffer; readonly from: number; readonly to: number }): void {
    const [startLine = "", ...fields] = head.bytes.toString("latin1", head.from, head.to - 4).split("\r\n");
    const lines = [startLine.split(" ").map(redactTarget).join(" ")];
    for (const field of fields) {
      const colon = field.indexOf(":");
      const name = field.slice(0, colon);
      // Who somebody claims to be is nobody's business, and not true: the line goes no further.
      const isClaim = name.toLowerCase().startsWith("x-remote-");
      lines.push(`${name}: ${isClaim ? REDACTED : redactHeader(name, field.slice(colon + 1).trim())}`);
    }
    this.#context.tell({ kind: "head", lane: this.#context.facts, lines });
  }
}

/** Whole milliseconds, as HAProxy logs them; -1 when one of the two moments was not reached. */
function elapsed(from: number, to: number): number {
  return from < 0 || to < 0 ? -1 : Math.trunc(to - from);
}
