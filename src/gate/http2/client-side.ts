import type { ReasonCode } from "../../events/index.ts";
import { redactHeader, redactTarget } from "../../kubernetes/index.ts";
import { type Ask, judge, type Permit } from "../../policy/guard.ts";
import { isRemovedHeader } from "../../policy/headers.ts";
import {
  ErrorCode,
  endOfStreamFrame,
  Flag,
  FRAME_HEAD_BYTES,
  FrameScanner,
  type FrameSink,
  FrameType,
  type HeaderBlock,
  HpackDecoder,
  Http2ConnectionError,
  literal,
  pingFrame,
  read31,
  resetFrame,
  settingsAckFrame,
} from "../../wire/http2/index.ts";
import { BlockWriter } from "./blocks.ts";
import type { Exchange } from "./exchange.ts";
import { RequestHead } from "./heads.ts";
import { STREAMS_MAX } from "./settings.ts";
import type { Stream } from "./streams.ts";

/** A block's encoded size beyond what it may decode to: frame heads, and Huffman at its worst for short strings. */
const BLOCK_BYTES_SLACK = 16_384;

/** Bytes of the client: judged here, then sent on, changed, or swallowed. */
export class ClientSide implements FrameSink {
  readonly scanner: FrameScanner;
  readonly decoder: HpackDecoder;
  readonly #exchange: Exchange;
  readonly #head = new RequestHead();
  readonly #blocks: BlockWriter;
  readonly #forwardedFor: Buffer | undefined;
  readonly #ask: { -readonly [K in keyof Ask]: Ask[K] };
  /** When the block that is being gathered began; -1: none is. */
  #blockSince = -1;
  #tableChanged = false;

  // The DATA frame under way.
  #dataStream = 0;
  #dataLength = 0;
  #dataEndsStream = false;
  #dataPasses = false;

  constructor(exchange: Exchange) {
    const { context } = exchange;
    this.#exchange = exchange;
    this.scanner = new FrameScanner("client", this, {
      blockBytesMax: context.headBytesMax + BLOCK_BYTES_SLACK,
    });
    this.decoder = new HpackDecoder(context.headBytesMax);
    this.#blocks = new BlockWriter(exchange.toServer);
    this.#forwardedFor =
      context.forwardedFor === undefined ? undefined : literal("x-forwarded-for", context.forwardedFor);
    this.#ask = { method: "", target: "", authority: undefined, lane: context.facts };
  }

  /** Since when a head, or the preface, is awaited to become whole; -1: it is not. */
  get incompleteSince(): number {
    return this.#blockSince;
  }

  feed(chunk: Buffer): void {
    const { nowMs } = this.#exchange;
    const begun = this.#blockSince;
    this.scanner.feed(chunk);
    if (!this.scanner.incomplete) this.#blockSince = -1;
    else if (begun < 0) this.#blockSince = nowMs;
  }

  preface(bytes: Buffer, start: number, end: number): void {
    this.#exchange.toServer.pass(bytes, start, end);
  }

  // DATA.

  dataBegins(
    streamId: number,
    flags: number,
    length: number,
    padding: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { streams, toServer, clientFloods, nowMs } = this.#exchange;
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if (length === padding && !endsStream) clientFloods.emptyData(nowMs);
    const stream = streams.get(streamId);
    this.#dataStream = streamId;
    this.#dataLength = length;
    this.#dataEndsStream = endsStream;
    if (stream === undefined) {
      this.#mustHaveBegun(streamId, "DATA");
      // A stream that the server has ended: what was in flight is for the server to count.
      this.#dataPasses = !streams.isEndedHere(streamId);
    } else {
      if (stream.clientDone) fail(ErrorCode.STREAM_CLOSED, "DATA behind the end of its stream");
      stream.activeAt = nowMs;
      stream.bodyBytes += length - padding;
      stream.bytesFromClient += length - padding;
      this.#dataPasses = this.#lengthHolds(stream, endsStream);
    }
    if (!this.#dataPasses) return;
    toServer.frameBegins();
    toServer.pass(bytes, start, end);
  }

  dataContinues(bytes: Buffer, start: number, end: number): void {
    if (this.#dataPasses) this.#exchange.toServer.pass(bytes, start, end);
  }

  dataEnds(): void {
    if (!this.#dataPasses) {
      this.#exchange.swallowedFromClient += this.#dataLength;
      return;
    }
    this.#exchange.toServer.frameEnds();
    if (!this.#dataEndsStream) return;
    const stream = this.#exchange.streams.get(this.#dataStream);
    if (stream !== undefined) this.#clientDone(stream);
  }

  /** RFC 9113 §8.1.1: Content-Length and the sum of DATA agree, or the stream is reset. */
  #lengthHolds(stream: Stream, ends: boolean): boolean {
    const { bodyBytes, bodyBytesDue } = stream;
    if (bodyBytesDue < 0 || (ends ? bodyBytes === bodyBytesDue : bodyBytes <= bodyBytesDue)) return true;
    this.#breakOff(stream);
    return false;
  }

  #breakOff(stream: Stream): void {
    const { clientFloods, nowMs } = this.#exchange;
    clientFloods.reset(nowMs);
    this.#exchange.reset(stream, ErrorCode.PROTOCOL_ERROR, ErrorCode.CANCEL, "protocol_error");
  }

  #clientDone(stream: Stream): void {
    stream.clientDone = true;
    if (stream.serverDone) this.#exchange.end(stream, "--", undefined);
  }

  // Heads.

  headerBlock(block: HeaderBlock): void {
    const { streams } = this.#exchange;
    const head = this.#head;
    const changes = this.decoder.changes;
    head.begin();
    this.decoder.decode(block.block, block.blockStart, block.blockEnd, head);
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
  }

  #trailers(stream: Stream, endStream: boolean): void {
    if (stream.clientDone) fail(ErrorCode.STREAM_CLOSED, "HEADERS behind the end of their stream");
    if (!endStream) {
      this.#breakOff(stream);
      return;
    }
    if (!this.#lengthHolds(stream, true)) return;
    this.#exchange.toServer.add(endOfStreamFrame(stream.id));
    this.#clientDone(stream);
  }

  #request(block: HeaderBlock): void {
    const { streams, farewell, toClient, clientFloods, nowMs } = this.#exchange;
    const { streamId } = block;
    if (farewell.isFinal || streams.size >= STREAMS_MAX) {
      if (!farewell.isFinal) {
        // RFC 9113 §8.7: nothing was done, the client may repeat it. Above its limit, or before it knew of it.
        clientFloods.reset(nowMs);
        streams.lastId = streamId;
        toClient.add(resetFrame(streamId, ErrorCode.REFUSED_STREAM));
      }
      streams.endHere(streamId);
      this.#blocks.withheld(this.#tableChanged);
      return;
    }
    streams.lastId = streamId;
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
    const headMs = this.#blockSince < 0 ? 0 : nowMs - this.#blockSince;
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
        message: `the gate refused this request: ${head.fault}`,
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

  // Frames without a payload of their own.

  control(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.SETTINGS:
        this.#settings(flags, bytes, start, end);
        return;
      case FrameType.PING:
        this.#ping(flags, bytes, start, end);
        return;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(streamId, bytes, start, end);
        return;
      case FrameType.RST_STREAM:
        this.#reset(streamId, bytes, start, end);
        return;
      case FrameType.PRIORITY:
        this.#priority(streamId, bytes, start, end);
        return;
      default:
        this.#exchange.toServer.pass(bytes, start, end);
    }
  }

  unknown(): void {
    this.#exchange.clientFloods.unknown(this.#exchange.nowMs);
  }

  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    const { clientSettings, toServer, toClient, clientFloods, nowMs, isLocal } = this.#exchange;
    if ((flags & Flag.ACK) === 0) {
      clientFloods.settings(nowMs);
      const first = !clientSettings.seen;
      const added = clientSettings.edit("client", bytes, start, end);
      toServer.pass(bytes, start, end);
      if (added !== undefined) toServer.pass(added, 0, added.length);
      if (first) toServer.frameEnds();
      if (isLocal) toClient.add(settingsAckFrame());
      return;
    }
    toServer.pass(bytes, start, end);
  }

  #ping(flags: number, bytes: Buffer, start: number, end: number): void {
    const { toServer, toClient, farewell, streams, clientFloods, nowMs, isLocal } = this.#exchange;
    if ((flags & Flag.ACK) !== 0) {
      if (farewell.isAnswered(bytes, start)) {
        farewell.finish(toClient, streams.lastId, ErrorCode.NO_ERROR);
        return;
      }
    } else {
      clientFloods.ping(nowMs);
      if (isLocal) toClient.add(pingFrame(bytes.subarray(start + FRAME_HEAD_BYTES, end), true));
    }
    toServer.pass(bytes, start, end);
  }

  #windowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    const { toServer, streams, clientWindow, clientFloods, nowMs } = this.#exchange;
    clientFloods.windowUpdate(nowMs);
    const at = start + FRAME_HEAD_BYTES;
    if (read31(bytes, at) === 0) fail(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of zero");
    if (streamId === 0) {
      if (clientWindow.grant(bytes, at)) toServer.pass(bytes, start, end);
      return;
    }
    this.#mustHaveBegun(streamId, "WINDOW_UPDATE");
    if (!streams.isEndedHere(streamId)) toServer.pass(bytes, start, end);
  }

  #reset(streamId: number, bytes: Buffer, start: number, end: number): void {
    const { toServer, streams, clientFloods, nowMs } = this.#exchange;
    this.#mustHaveBegun(streamId, "RST_STREAM");
    const stream = streams.get(streamId);
    if (stream !== undefined) {
      const answered = stream.answeredAt >= 0;
      if (!answered) clientFloods.reset(nowMs);
      this.#exchange.end(stream, answered ? "CD" : "CH", "client_gone");
    } else if (streams.isEndedHere(streamId)) return;
    toServer.pass(bytes, start, end);
  }

  #priority(streamId: number, bytes: Buffer, start: number, end: number): void {
    const { toServer, streams, clientFloods, nowMs } = this.#exchange;
    clientFloods.priority(nowMs);
    if (read31(bytes, start + FRAME_HEAD_BYTES) === streamId) {
      fail(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
    }
    if (!streams.isEndedHere(streamId)) toServer.pass(bytes, start, end);
  }

  /** RFC 9113 §5.1: on an idle stream nothing but HEADERS and PRIORITY. */
  #mustHaveBegun(streamId: number, what: string): void {
    if (streamId > this.#exchange.streams.lastId || streamId % 2 === 0) {
      fail(ErrorCode.PROTOCOL_ERROR, `${what} on a stream that has not begun`);
    }
  }
}

function fail(code: number, message: string): never {
  throw new Http2ConnectionError(code, message);
}
