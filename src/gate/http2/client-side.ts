import {
  ErrorCode,
  Flag,
  FRAME_HEAD_BYTES,
  FrameScanner,
  type FrameSink,
  FrameType,
  type HeaderBlock,
  type HpackDecoder,
  Http2ConnectionError,
  pingFrame,
  read31,
  settingsAckFrame,
} from "../../wire/http2/index.ts";
import type { Exchange } from "./exchange.ts";
import { Requests } from "./requests.ts";
import { lengthHolds } from "./streams.ts";

/** A block's encoded size beyond what it may decode to: frame heads, and Huffman at its worst for short strings. */
const BLOCK_BYTES_SLACK = 16_384;

/** Bytes of the client: judged here, then sent on, changed, or swallowed. */
export class ClientSide implements FrameSink {
  readonly scanner: FrameScanner;
  readonly #exchange: Exchange;
  readonly #requests: Requests;
  #incompleteSince = -1;

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
    this.#requests = new Requests(exchange);
  }

  get decoder(): HpackDecoder {
    return this.#requests.decoder;
  }

  /** Since when a head, or the preface, is awaited to become whole; -1: it is not. */
  get incompleteSince(): number {
    return this.#incompleteSince;
  }

  feed(chunk: Buffer): void {
    const { nowMs } = this.#exchange;
    const begun = this.#incompleteSince;
    this.scanner.feed(chunk);
    if (!this.scanner.incomplete) this.#incompleteSince = -1;
    else if (begun < 0) this.#incompleteSince = nowMs;
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
    const { streams, toServer, clientFloods, serverFloods, nowMs } = this.#exchange;
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
      this.#dataPasses = lengthHolds(stream, endsStream);
      if (!this.#dataPasses) this.#exchange.breakOff(stream);
    }
    if (!this.#dataPasses) return;
    serverFloods.dataWasSent(length);
    toServer.frameBegins();
    toServer.pass(bytes, start, end);
  }

  dataContinues(bytes: Buffer, start: number, end: number): void {
    if (this.#dataPasses) this.#exchange.toServer.pass(bytes, start, end);
  }

  dataEnds(): void {
    if (!this.#dataPasses) {
      this.#exchange.swallowedFromClient += this.#dataLength;
      if (this.#dataEndsStream) this.#exchange.unfinished.finished(this.#dataStream);
      return;
    }
    this.#exchange.toServer.frameEnds();
    if (!this.#dataEndsStream) return;
    const stream = this.#exchange.streams.get(this.#dataStream);
    if (stream !== undefined) this.#exchange.clientDone(stream);
  }

  headerBlock(block: HeaderBlock): void {
    this.#requests.headerBlock(block, this.#incompleteSince);
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
    } else if (streams.isEndedHere(streamId)) {
      this.#exchange.unfinished.finished(streamId);
      return;
    }
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
