import { REASONS, type ReasonCode } from "../../events/index.ts";
import { redactHeader, redactTarget } from "../../kubernetes/index.ts";
import { type Ask, judge, type Permit } from "../../policy/guard.ts";
import { isRemovedHeader } from "../../policy/headers.ts";
import {
  ErrorCode,
  endOfStreamFrame,
  type HeaderBlock,
  HpackDecoder,
  Http2ConnectionError,
  literal,
  resetFrame,
} from "../../wire/http2/index.ts";
import { BlockWriter } from "./blocks.ts";
import type { Exchange } from "./exchange.ts";
import { RequestHead } from "./heads.ts";
import { STREAMS_MAX } from "./settings.ts";
import { lengthHolds, type Stream } from "./streams.ts";

/** What becomes of a client's header blocks: a request that goes on, a refusal, the end of a body. */
export class Requests {
  readonly decoder: HpackDecoder;
  readonly #exchange: Exchange;
  readonly #head = new RequestHead();
  readonly #blocks: BlockWriter;
  readonly #forwardedFor: Buffer | undefined;
  readonly #ask: { -readonly [K in keyof Ask]: Ask[K] };
  // Of the block at hand.
  #since = -1;
  #tableChanged = false;

  constructor(exchange: Exchange) {
    const { context } = exchange;
    this.#exchange = exchange;
    this.decoder = new HpackDecoder(context.headBytesMax);
    this.#blocks = new BlockWriter(exchange.toServer);
    this.#forwardedFor =
      context.forwardedFor === undefined ? undefined : literal("x-forwarded-for", context.forwardedFor);
    this.#ask = { method: "", target: "", authority: undefined, lane: context.facts };
  }

  /** @param since  when its first byte came, if not in this turn; -1 */
  headerBlock(block: HeaderBlock, since: number): void {
    const { streams } = this.#exchange;
    const head = this.#head;
    const changes = this.decoder.changes;
    head.begin();
    this.decoder.decode(block.block, block.blockStart, block.blockEnd, head);
    this.#since = since;
    this.#tableChanged = this.decoder.changes !== changes;
    const { streamId } = block;
    if (streamId % 2 === 0) fail(ErrorCode.PROTOCOL_ERROR, "a client's stream has an even number");
    if (streamId > streams.lastId) {
      head.end(block.endStream);
      this.#request(block);
      return;
    }
    // Trailers go no further: kube-apiserver has no use for them, and what is not judged is not passed on.
    this.#blocks.withheld(this.#tableChanged);
    const stream = streams.get(streamId);
    if (stream !== undefined) this.#trailers(stream, block.endStream);
    else this.#exchange.unfinished.finished(streamId);
  }

  #trailers(stream: Stream, endStream: boolean): void {
    if (stream.clientDone) fail(ErrorCode.STREAM_CLOSED, "HEADERS behind the end of their stream");
    if (!endStream || !lengthHolds(stream, true)) {
      this.#exchange.breakOff(stream);
      return;
    }
    this.#exchange.toServer.add(endOfStreamFrame(stream.id));
    this.#exchange.clientDone(stream);
  }

  #request(block: HeaderBlock): void {
    const { streams, farewell, toClient, clientFloods, nowMs } = this.#exchange;
    const { streamId } = block;
    streams.lastId = streamId;
    if (farewell.isFinal || streams.size >= STREAMS_MAX) {
      this.#blocks.withheld(this.#tableChanged);
      streams.endHere(streamId);
      // Above the last id the client knows without a word. Above its limit, or before it knew of that, it may repeat the
      // request: nothing was done (RFC 9113 §8.7).
      if (farewell.isFinal) return;
      clientFloods.reset(nowMs);
      toClient.add(resetFrame(streamId, ErrorCode.REFUSED_STREAM));
      return;
    }
    const stream = this.#open(block);
    if (this.#exchange.context.debug) this.#show(block);
    const refused = this.#judge();
    if (refused.kind === "permit") this.#forward(refused, stream, block);
    else this.#refuse(stream, refused.reason, refused.message);
  }

  #open(block: HeaderBlock): Stream {
    const { streams, context, nowMs } = this.#exchange;
    const head = this.#head;
    const stream = streams.open(block.streamId);
    const headMs = this.#since < 0 ? 0 : nowMs - this.#since;
    stream.method = head.method;
    stream.target = head.target;
    stream.authority = head.authority;
    stream.userAgent = head.userAgent;
    stream.headMs = headMs;
    stream.startedAt = nowMs - headMs;
    stream.startedAtMs = context.wallClock() - headMs;
    stream.activeAt = nowMs;
    stream.bytesFromClient = head.bytes;
    stream.bodyBytesDue = head.contentLength;
    stream.clientDone = block.endStream;
    return stream;
  }

  #judge(): Permit | { readonly kind: "refuse"; readonly reason: ReasonCode; readonly message?: string } {
    const head = this.#head;
    if (this.decoder.tooLarge) return { kind: "refuse", reason: "head_too_large" };
    if (head.method === "CONNECT") return { kind: "refuse", reason: "connect_refused" };
    // A malformed request is a stream's error (RFC 9113 §8.1.1). The answer says to people what the reset alone would not.
    if (head.fault !== undefined) {
      return {
        kind: "refuse",
        reason: "bad_request",
        message: `${REASONS.bad_request.sentence}: ${head.fault}`,
      };
    }
    const ask = this.#ask;
    ask.method = head.method;
    ask.target = head.target;
    ask.authority = head.authority;
    return judge(this.#exchange.context.guards, ask);
  }

  #refuse(stream: Stream, reason: ReasonCode, message: string | undefined): void {
    this.#blocks.withheld(this.#tableChanged);
    this.#exchange.answer(stream, reason, message);
  }

  /** The only way on; nobody comes here without every guard's consent. */
  #forward(_permit: Permit, stream: Stream, block: HeaderBlock): void {
    if (this.#exchange.isLocal) {
      this.#refuse(stream, this.#exchange.context.noServer, undefined);
      return;
    }
    stream.forwardedAt = this.#exchange.nowMs;
    const head = this.#head;
    if (!head.hasRemoved && !this.#blocks.writesAnew) this.#blocks.verbatim(block, this.#forwardedFor);
    else {
      const fields = head.fields.filter(({ name }) => !isRemovedHeader(name));
      this.#blocks.anew(block, fields, this.#forwardedFor);
    }
    // The server has said goodbye and will not look at it; the client hears, or has heard, and repeats it elsewhere.
    if (stream.id > this.#exchange.farewell.servedUpTo) this.#exchange.end(stream, "SH", undefined);
  }

  #show(block: HeaderBlock): void {
    const head = this.#head;
    const lines = head.fields.map(({ name, value }) => `${name}: ${redactHeader(name, value)}`);
    this.#exchange.context.tell({
      kind: "head",
      lane: this.#exchange.context.facts,
      lines: [`stream ${block.streamId}: ${head.method} ${redactTarget(head.target)} HTTP/2.0`, ...lines],
    });
  }
}

function fail(code: number, message: string): never {
  throw new Http2ConnectionError(code, message);
}
