import {
  ErrorCode,
  Flag,
  FRAME_HEAD_BYTES,
  FrameScanner,
  type FrameSink,
  FrameType,
  type HeaderBlock,
  HpackDecoder,
  Http2ConnectionError,
  read31,
  writeFrameHead,
} from "../../wire/http2/index.ts";
import { BlockWriter } from "./blocks.ts";
import type { Exchange } from "./exchange.ts";
import { ResponseHead } from "./heads.ts";
import type { Stream } from "./streams.ts";

/** A server is trusted with more than a client, not with all memory (kube-apiserver's own heads are a few KB). */
const BLOCK_BYTES_MAX = 262_144;

const NOTHING = Buffer.alloc(0);

/** Bytes of the server: watched for where each answer stands, and passed to the client as they are. */
export class ServerSide implements FrameSink {
  readonly scanner: FrameScanner;
  readonly decoder = new HpackDecoder(BLOCK_BYTES_MAX);
  readonly #exchange: Exchange;
  readonly #head = new ResponseHead();
  readonly #blocks: BlockWriter;

  // The DATA frame under way.
  #dataStream = 0;
  #dataLength = 0;
  #dataEndsStream = false;
  #dataPasses = false;
  /** Of a frame that was split: payload up to the dam, and the head of what follows behind it. */
  #fitsLeft = 0;
  #restHead = NOTHING;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.scanner = new FrameScanner("server", this, { blockBytesMax: BLOCK_BYTES_MAX });
    this.#blocks = new BlockWriter(exchange.toClient);
  }

  feed(chunk: Buffer): void {
    this.scanner.feed(chunk);
  }

  preface(): void {
    fail(ErrorCode.PROTOCOL_ERROR, "a client's preface from a server");
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
    const { streams, toClient, clientWindow, clientFloods, serverFloods, nowMs } = this.#exchange;
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if (length === padding && !endsStream) serverFloods.emptyData(nowMs);
    this.#dataStream = streamId;
    this.#dataLength = length;
    this.#dataEndsStream = endsStream;
    const stream = streams.get(streamId);
    if (stream === undefined) {
      this.#mustHaveBegun(streamId);
      // A stream that the client has just reset: it counts what comes against its window, so it must get it.
      this.#dataPasses = !streams.isEndedHere(streamId);
    } else {
      if (stream.answeredAt < 0 || stream.serverDone) {
        fail(ErrorCode.PROTOCOL_ERROR, "DATA outside of an answer");
      }
      stream.activeAt = nowMs;
      stream.bytesToClient += length - padding;
      this.#dataPasses = true;
    }
    if (!this.#dataPasses) return;
    clientFloods.dataWasSent(length);
    toClient.frameBegins();
    const fits = clientWindow.use(length);
    if (fits < length && !toClient.dammed) this.#split(fits, padding, flags, bytes, start);
    toClient.pass(bytes, start, end);
  }

  dataContinues(bytes: Buffer, start: number, end: number): void {
    if (!this.#dataPasses) return;
    const { toClient } = this.#exchange;
    let from = start;
    if (this.#fitsLeft > 0) {
      from = Math.min(end, start + this.#fitsLeft);
      this.#fitsLeft -= from - start;
      toClient.pass(bytes, start, from);
      if (this.#fitsLeft > 0) return;
      toClient.dam();
      toClient.pass(this.#restHead, 0, FRAME_HEAD_BYTES);
    }
    toClient.pass(bytes, from, end);
  }

  /** A frame exceeds the client's room: as much as fits goes on as a frame of its own, the rest waits behind the dam. */
  #split(fits: number, padding: number, flags: number, bytes: Buffer, start: number): void {
    // Of a padded frame no part can be made without counting anew.
    if (fits === 0 || padding > 0) {
      this.#exchange.toClient.dam();
      return;
    }
    this.#fitsLeft = fits;
    this.#restHead = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
    writeFrameHead(this.#restHead, 0, this.#dataLength - fits, FrameType.DATA, flags, this.#dataStream);
    writeFrameHead(bytes, start, fits, FrameType.DATA, 0, this.#dataStream);
  }

  dataEnds(): void {
    if (!this.#dataPasses) {
      this.#exchange.swallowedFromServer += this.#dataLength;
      return;
    }
    this.#exchange.toClient.frameEnds();
    if (!this.#dataEndsStream) return;
    const stream = this.#exchange.streams.get(this.#dataStream);
    if (stream !== undefined) this.#exchange.serverDone(stream);
  }

  // Heads.

  headerBlock(block: HeaderBlock): void {
    const { streams } = this.#exchange;
    const head = this.#head;
    const changes = this.decoder.changes;
    head.begin();
    head.keepFields = this.#blocks.writesAnew;
    this.decoder.decode(block.block, block.blockStart, block.blockEnd, head);
    if (this.decoder.tooLarge) fail(ErrorCode.ENHANCE_YOUR_CALM, "an answer's head is larger than allowed");
    this.#mustHaveBegun(block.streamId);
    const stream = streams.get(block.streamId);
    const goesOn =
      stream === undefined ? !streams.isEndedHere(block.streamId) : this.#answer(stream, block.endStream);
    if (!goesOn) this.#blocks.withheld(this.decoder.changes !== changes);
    else if (this.#blocks.writesAnew) this.#blocks.anew(block, head.fields, undefined);
    else this.#blocks.verbatim(block, undefined);
    if (goesOn && stream !== undefined && block.endStream) this.#exchange.serverDone(stream);
  }

  /** A head of an open stream: interim, final, or trailers. @returns whether it goes on */
  #answer(stream: Stream, endStream: boolean): boolean {
    const { nowMs } = this.#exchange;
    const { status, bytes } = this.#head;
    if (stream.serverDone) fail(ErrorCode.STREAM_CLOSED, "HEADERS behind the end of their stream");
    const isTrailers = stream.answeredAt >= 0;
    const isInterim = status >= 100 && status < 200;
    const isValid = isTrailers
      ? endStream && status < 0
      : status >= 0 && status !== 101 && !(isInterim && endStream);
    if (!isValid) {
      this.#refuse(stream, isTrailers);
      return false;
    }
    stream.activeAt = nowMs;
    stream.bytesToClient += bytes;
    if (!isTrailers && !isInterim) {
      stream.answeredAt = nowMs;
      stream.status = status;
    }
    return true;
  }

  /** RFC 9113 §8.1.1: a malformed answer is its stream's error. */
  #refuse(stream: Stream, hasBegun: boolean): void {
    if (hasBegun) {
      this.#exchange.reset(stream, ErrorCode.PROTOCOL_ERROR, ErrorCode.PROTOCOL_ERROR, "server_bad_response");
      return;
    }
    this.#exchange.resetAtServer(stream, ErrorCode.PROTOCOL_ERROR);
    this.#exchange.answer(stream, "server_bad_response");
  }

  // Frames without a payload of their own.

  control(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { toClient, serverFloods, nowMs } = this.#exchange;
    switch (type) {
      case FrameType.SETTINGS:
        this.#settings(flags, bytes, start, end);
        return;
      case FrameType.PING:
        if ((flags & Flag.ACK) === 0) serverFloods.ping(nowMs);
        break;
      case FrameType.WINDOW_UPDATE:
        if (read31(bytes, start + FRAME_HEAD_BYTES) === 0) {
          fail(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of zero");
        }
        serverFloods.windowUpdate(nowMs);
        if (streamId !== 0 && !this.#concernsClient(streamId)) return;
        break;
      case FrameType.RST_STREAM:
        if (!this.#concernsClient(streamId)) return;
        this.#reset(streamId);
        break;
      case FrameType.GOAWAY:
        this.#goaway(bytes, start);
        break;
      case FrameType.PRIORITY:
        serverFloods.priority(nowMs);
        if (!this.#concernsClient(streamId)) return;
        break;
    }
    toClient.pass(bytes, start, end);
  }

  unknown(): void {
    this.#exchange.serverFloods.unknown(this.#exchange.nowMs);
  }

  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    const { serverSettings, toClient, serverFloods, nowMs } = this.#exchange;
    if ((flags & Flag.ACK) !== 0) {
      toClient.pass(bytes, start, end);
      return;
    }
    serverFloods.settings(nowMs);
    const first = !serverSettings.seen;
    const added = serverSettings.edit("server", bytes, start, end);
    toClient.pass(bytes, start, end);
    if (added !== undefined) toClient.pass(added, 0, added.length);
    if (first) toClient.frameEnds();
  }

  #reset(streamId: number): void {
    const { streams, clientFloods, nowMs } = this.#exchange;
    const stream = streams.get(streamId);
    if (stream === undefined) return;
    if (stream.serverDone) {
      // RFC 9113 §8.1: the answer was complete, the rest of the request is not wanted.
      this.#exchange.end(stream, "--", undefined);
      return;
    }
    const answered = stream.answeredAt >= 0;
    // Whoever makes the server reset is as bad as who resets.
    if (!answered) clientFloods.reset(nowMs);
    this.#exchange.end(stream, answered ? "SD" : "SH", answered ? "server_gone" : undefined);
  }

  /** Streams above the last id were not looked at; the client knows and repeats them elsewhere. */
  #goaway(bytes: Buffer, start: number): void {
    const { streams, farewell } = this.#exchange;
    farewell.pass(bytes, start);
    for (const stream of streams.all()) {
      if (stream.id > farewell.servedUpTo) this.#exchange.end(stream, "SH", undefined);
    }
  }

  #concernsClient(streamId: number): boolean {
    this.#mustHaveBegun(streamId);
    return !this.#exchange.streams.isEndedHere(streamId);
  }

  #mustHaveBegun(streamId: number): void {
    if (streamId > this.#exchange.streams.lastId || streamId % 2 === 0) {
      fail(ErrorCode.PROTOCOL_ERROR, "a frame for a stream that the client has not begun");
    }
  }
}

function fail(code: number, message: string): never {
  throw new Http2ConnectionError(code, message);
}
