import { ErrorCode, Http2ConnectionError } from "./errors.ts";
import {
  Flag,
  FRAME_BYTES_DEFAULT,
  FRAME_HEAD_BYTES,
  FrameType,
  frameHeadFault,
  PREFACE,
  read31,
  readFrameLength,
} from "./frames.ts";

/**
 * What the scanner finds, in the order of the bytes. Ranges `[start, end)` lie in the chunk given to `feed`, or in a
 * buffer of its own for what was cut by a chunk's end; either may be kept and written into.
 */
export interface FrameSink {
  /** The client's 24 bytes. */
  preface(bytes: Buffer, start: number, end: number): void;
  /**
   * A DATA frame begins; the range is its head. Its payload follows as it comes, then `dataEnds`.
   * @param length   of the payload with its padding: what counts against the windows
   * @param padding  of these, how many are padding and its length byte
   */
  dataBegins(
    streamId: number,
    flags: number,
    length: number,
    padding: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;
  dataContinues(bytes: Buffer, start: number, end: number): void;
  dataEnds(): void;
  /** One HEADERS with all its CONTINUATIONs. The block is valid during the call only. */
  headerBlock(block: HeaderBlock): void;
  /** Any other frame that RFC 9113 defines, whole. */
  control(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** A frame of an extension; it is not handed out, since whoever does not know it must discard it (§5.5). */
  unknown(type: number): void;
}

/** Where a header block's parts lie. */
export interface HeaderBlock {
  streamId: number;
  endStream: boolean;
  /** The frames as they came, heads included. */
  frames: Buffer;
  framesStart: number;
  framesEnd: number;
  /** In `frames`: the head of the last frame, and where its share of the block ends (padding may follow). */
  lastFrameAt: number;
  lastContentEnd: number;
  /** The block itself, in one piece. */
  block: Buffer;
  blockStart: number;
  blockEnd: number;
}

export interface ScannerLimits {
  /** Bytes of a header block as sent, frame heads included. */
  readonly blockBytesMax: number;
}

/** Frames of one header block; a real one fills each of its frames but the last. */
const BLOCK_FRAMES_MAX = 64;
/** A SETTINGS or GOAWAY beyond this says nothing a peer could need. */
const CONTROL_BYTES_MAX = 8_192;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts one direction of an HTTP/2 connection into frames (RFC 9113 §4). Takes chunks of any size and holds on to no more
 * than one unfinished frame or header block; a DATA payload is never waited for.
 * @throws Http2ConnectionError from `feed`; the scanner must not be used afterwards
 */
export class FrameScanner {
  /** The largest payload the other side has said it takes. */
  frameBytesMax = FRAME_BYTES_DEFAULT;

  readonly #sink: FrameSink;
  readonly #limits: ScannerLimits;
  #prefaceDue: boolean;
  #settingsDue = true;

  // The frame whose head was read last.
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #length = 0;

  /** Payload still to come of a frame that is handed on (DATA) or dropped (unknown) as it comes. */
  #left = 0;
  #dropping = false;

  /** What a chunk's end cut: the bytes so far, in a buffer that has room for `#need`. */
  #held: Buffer | undefined;
  #heldLength = 0;
  #need = 0;

  /** A header block without END_HEADERS so far. */
  #open: { frames: Buffer[]; fragments: Buffer[]; bytes: number } | undefined;
  readonly #block: HeaderBlock = {
    streamId: 0,
    endStream: false,
    frames: NOTHING,
    framesStart: 0,
    framesEnd: 0,
    lastFrameAt: 0,
    lastContentEnd: 0,
    block: NOTHING,
    blockStart: 0,
    blockEnd: 0,
  };

  /** @param from  a client begins with the preface */
  constructor(from: "client" | "server", sink: FrameSink, limits: ScannerLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#prefaceDue = from === "client";
  }

  /** Something has begun that must be whole before it can go on: a header block, a frame that is no DATA. */
  get incomplete(): boolean {
    return this.#held !== undefined || this.#open !== undefined;
  }

  feed(chunk: Buffer): void {
    let at = this.#held === undefined ? 0 : this.#completeHeld(chunk);
    const end = chunk.length;
    while (at < end) {
      if (this.#left > 0) {
        at = this.#passPayload(chunk, at);
        continue;
      }
      const available = end - at;
      const need = this.#needed(chunk, at, available);
      if (need > available) {
        this.#hold(chunk, at, need);
        return;
      }
      this.#take(chunk, at, at + need);
      at += need;
    }
  }

  #passPayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (!this.#dropping) {
      this.#sink.dataContinues(chunk, at, end);
      if (this.#left === 0) this.#sink.dataEnds();
    }
    return end;
  }

  /** How many bytes the element at `at` must have before it can be taken, as far as its first bytes tell. */
  #needed(bytes: Buffer, at: number, available: number): number {
    if (this.#prefaceDue) {
      checkPreface(bytes, at, Math.min(available, PREFACE.length));
      return PREFACE.length;
    }
    if (available < FRAME_HEAD_BYTES) return FRAME_HEAD_BYTES;
    this.#readHead(bytes, at);
    if (this.#type === FrameType.DATA) {
      return (this.#flags & Flag.PADDED) !== 0 ? FRAME_HEAD_BYTES + 1 : FRAME_HEAD_BYTES;
    }
    return this.#type > FrameType.CONTINUATION ? FRAME_HEAD_BYTES : FRAME_HEAD_BYTES + this.#length;
  }

  #readHead(bytes: Buffer, at: number): void {
    const length = readFrameLength(bytes, at);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const streamId = read31(bytes, at + 5);
    if (length > this.frameBytesMax) fail(ErrorCode.FRAME_SIZE_ERROR, "a frame is larger than allowed");
    const fault = frameHeadFault(type, flags, length, streamId);
    if (fault !== 0) fail(fault, `a frame of type ${type} has a wrong size or stream`);
    if (this.#settingsDue && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      fail(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    }
    // RFC 9113 §6.10: nothing may stand between the frames of a header block.
    if ((type === FrameType.CONTINUATION) !== (this.#open !== undefined)) {
      fail(ErrorCode.PROTOCOL_ERROR, "CONTINUATION is missing or out of place");
    }
    if (type === FrameType.CONTINUATION && streamId !== this.#block.streamId) {
      fail(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of another stream");
    }
    if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) {
      const before = this.#open?.bytes ?? 0;
      if (before + FRAME_HEAD_BYTES + length > this.#limits.blockBytesMax) {
        fail(ErrorCode.ENHANCE_YOUR_CALM, "a header block is larger than allowed");
      }
    } else if (type !== FrameType.DATA && type <= FrameType.CONTINUATION && length > CONTROL_BYTES_MAX) {
      fail(ErrorCode.ENHANCE_YOUR_CALM, "a control frame is larger than allowed");
    }
    this.#type = type;
    this.#flags = flags;
    this.#streamId = streamId;
    this.#length = length;
  }

  #hold(chunk: Buffer, at: number, need: number): void {
    this.#held = Buffer.allocUnsafe(need);
    this.#heldLength = chunk.copy(this.#held, 0, at);
    this.#need = need;
  }

  /** @returns where the chunk goes on behind what it completed */
  #completeHeld(chunk: Buffer): number {
    let at = 0;
    while (this.#held !== undefined) {
      const missing = this.#need - this.#heldLength;
      const copied = chunk.copy(this.#held, this.#heldLength, at, Math.min(chunk.length, at + missing));
      this.#heldLength += copied;
      at += copied;
      const held = this.#held;
      const need = this.#needed(held, 0, this.#heldLength);
      if (this.#heldLength < this.#need) return at;
      if (need > this.#need) {
        // The head is whole now and says how much more there is.
        this.#held = Buffer.allocUnsafe(need);
        held.copy(this.#held, 0, 0, this.#heldLength);
        this.#need = need;
        continue;
      }
      this.#held = undefined;
      this.#take(held, 0, need);
    }
    return at;
  }

  #take(bytes: Buffer, start: number, end: number): void {
    if (this.#prefaceDue) {
      this.#prefaceDue = false;
      this.#sink.preface(bytes, start, end);
      return;
    }
    this.#settingsDue = false;
    switch (this.#type) {
      case FrameType.DATA:
        this.#takeDataHead(bytes, start, end);
        return;
      case FrameType.HEADERS:
        this.#takeHeaders(bytes, start, end);
        return;
      case FrameType.CONTINUATION:
        this.#takeContinuation(bytes, start, end);
        return;
      default:
        if (this.#type <= FrameType.CONTINUATION) {
          this.#sink.control(this.#type, this.#flags, this.#streamId, bytes, start, end);
          return;
        }
        this.#left = this.#length;
        this.#dropping = true;
        this.#sink.unknown(this.#type);
    }
  }

  #takeDataHead(bytes: Buffer, start: number, end: number): void {
    let padding = 0;
    this.#left = this.#length;
    if ((this.#flags & Flag.PADDED) !== 0) {
      padding = (bytes[end - 1] ?? 0) + 1;
      if (padding > this.#length) fail(ErrorCode.PROTOCOL_ERROR, "padding exceeds its DATA frame");
      this.#left -= 1;
    }
    this.#dropping = false;
    this.#sink.dataBegins(this.#streamId, this.#flags, this.#length, padding, bytes, start, end);
    if (this.#left === 0) this.#sink.dataEnds();
  }

  #takeHeaders(bytes: Buffer, start: number, end: number): void {
    let from = start + FRAME_HEAD_BYTES;
    let to = end;
    if ((this.#flags & Flag.PADDED) !== 0) {
      to -= bytes[from] ?? 0;
      from += 1;
    }
    if ((this.#flags & Flag.PRIORITY) !== 0) {
      if (read31(bytes, from) === this.#streamId)
        fail(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself");
      from += 5;
    }
    if (to < from) fail(ErrorCode.PROTOCOL_ERROR, "padding exceeds its HEADERS frame");
    const block = this.#block;
    block.streamId = this.#streamId;
    block.endStream = (this.#flags & Flag.END_STREAM) !== 0;
    if ((this.#flags & Flag.END_HEADERS) === 0) {
      // Copies: a chunk of 64 KB should not be kept alive for a few bytes of it.
      this.#open = {
        frames: [Buffer.from(bytes.subarray(start, end))],
        fragments: [Buffer.from(bytes.subarray(from, to))],
        bytes: end - start,
      };
      return;
    }
    block.frames = bytes;
    block.framesStart = start;
    block.framesEnd = end;
    block.lastFrameAt = start;
    block.lastContentEnd = to;
    block.block = bytes;
    block.blockStart = from;
    block.blockEnd = to;
    this.#giveBlock();
  }

  #takeContinuation(bytes: Buffer, start: number, end: number): void {
    const open = this.#open;
    if (open === undefined) return;
    open.frames.push(Buffer.from(bytes.subarray(start, end)));
    open.fragments.push(Buffer.from(bytes.subarray(start + FRAME_HEAD_BYTES, end)));
    open.bytes += end - start;
    if ((this.#flags & Flag.END_HEADERS) === 0) {
      if (open.frames.length >= BLOCK_FRAMES_MAX) {
        fail(ErrorCode.ENHANCE_YOUR_CALM, "a header block has too many CONTINUATION frames");
      }
      return;
    }
    this.#open = undefined;
    const block = this.#block;
    block.frames = Buffer.concat(open.frames);
    block.framesStart = 0;
    block.framesEnd = block.frames.length;
    block.lastFrameAt = block.framesEnd - (end - start);
    block.lastContentEnd = block.framesEnd;
    block.block = Buffer.concat(open.fragments);
    block.blockStart = 0;
    block.blockEnd = block.block.length;
    this.#giveBlock();
  }

  #giveBlock(): void {
    this.#sink.headerBlock(this.#block);
    // An idle lane must not keep its last chunk alive.
    this.#block.frames = NOTHING;
    this.#block.block = NOTHING;
  }
}

function checkPreface(bytes: Buffer, at: number, length: number): void {
  if (bytes.compare(PREFACE, 0, length, at, at + length) !== 0) {
    fail(ErrorCode.PROTOCOL_ERROR, "the client does not speak HTTP/2");
  }
}

function fail(code: number, message: string): never {
  throw new Http2ConnectionError(code, message);
}
