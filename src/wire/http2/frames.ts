import { ErrorCode } from "./errors.ts";

/** RFC 9113 §6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = {
  END_STREAM: 0x1,
  /** Of SETTINGS and PING. */
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** RFC 9113 §6.5.2, and RFC 8441 §3 for the last. */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
} as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** Length, type, flags, stream. */
export const FRAME_HEAD_BYTES = 9;
/** Every peer takes frames of this size, whatever its SETTINGS say (RFC 9113 §4.2). */
export const FRAME_BYTES_DEFAULT = 16_384;
export const FRAME_BYTES_MAX = 16_777_215;
export const WINDOW_DEFAULT = 65_535;
export const WINDOW_MAX = 2 ** 31 - 1;
export const STREAM_ID_MAX = 2 ** 31 - 1;
export const SETTING_BYTES = 6;

/**
 * What a frame's head alone can be wrong in: its size and whether it belongs to a stream (RFC 9113 §6).
 * Every fault ends the connection, also where the RFC would let a stream's reset do: nothing that works sends these.
 * @returns an `ErrorCode`; 0 when there is no fault
 */
export function frameHeadFault(type: number, flags: number, length: number, streamId: number): number {
  switch (type) {
    case FrameType.DATA:
      if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
      return (flags & Flag.PADDED) !== 0 && length < 1 ? ErrorCode.FRAME_SIZE_ERROR : 0;
    case FrameType.HEADERS: {
      if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
      const least = ((flags & Flag.PADDED) !== 0 ? 1 : 0) + ((flags & Flag.PRIORITY) !== 0 ? 5 : 0);
      return length < least ? ErrorCode.FRAME_SIZE_ERROR : 0;
    }
    case FrameType.PRIORITY:
      if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
      return length === 5 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.RST_STREAM:
      if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
      return length === 4 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.SETTINGS:
      if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
      if ((flags & Flag.ACK) !== 0 && length !== 0) return ErrorCode.FRAME_SIZE_ERROR;
      return length % SETTING_BYTES === 0 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.PUSH_PROMISE:
      // Push is switched off on every lane, and a client may never send one (RFC 9113 §8.4).
      return ErrorCode.PROTOCOL_ERROR;
    case FrameType.PING:
      if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
      return length === 8 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.GOAWAY:
      if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
      return length >= 8 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.WINDOW_UPDATE:
      return length === 4 ? 0 : ErrorCode.FRAME_SIZE_ERROR;
    case FrameType.CONTINUATION:
      return streamId === 0 ? ErrorCode.PROTOCOL_ERROR : 0;
    default:
      return 0;
  }
}

/** The 31 bits of a stream id, a window or an increment; the reserved bit is ignored (RFC 9113 §4.1). */
export function read31(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) & 0x7f) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

/** The length that stands first in a frame's head. */
export function readFrameLength(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

export function writeFrameLength(bytes: Buffer, at: number, length: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = (length >>> 8) & 0xff;
  bytes[at + 2] = length & 0xff;
}

/** @returns where the payload begins */
export function writeFrameHead(
  bytes: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  writeFrameLength(bytes, at, length);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(streamId, at + 5);
  return at + FRAME_HEAD_BYTES;
}

function frame(length: number, type: number, flags: number, streamId: number): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD_BYTES + length);
  writeFrameHead(bytes, 0, length, type, flags, streamId);
  return bytes;
}

/** @param entries  pairs of `Setting` and value */
export function settingsFrame(entries: readonly (readonly [setting: number, value: number])[]): Buffer {
  const bytes = frame(entries.length * SETTING_BYTES, FrameType.SETTINGS, 0, 0);
  let at = FRAME_HEAD_BYTES;
  for (const [setting, value] of entries) {
    bytes.writeUInt16BE(setting, at);
    bytes.writeUInt32BE(value, at + 2);
    at += SETTING_BYTES;
  }
  return bytes;
}

export function settingsAckFrame(): Buffer {
  return frame(0, FrameType.SETTINGS, Flag.ACK, 0);
}

/** @param opaque  8 bytes */
export function pingFrame(opaque: Buffer, ack: boolean): Buffer {
  const bytes = frame(8, FrameType.PING, ack ? Flag.ACK : 0, 0);
  opaque.copy(bytes, FRAME_HEAD_BYTES);
  return bytes;
}

/** @param debug  a sentence for whoever reads the peer's log */
export function goawayFrame(lastStreamId: number, code: number, debug = ""): Buffer {
  const bytes = frame(8 + debug.length, FrameType.GOAWAY, 0, 0);
  bytes.writeUInt32BE(lastStreamId, FRAME_HEAD_BYTES);
  bytes.writeUInt32BE(code, FRAME_HEAD_BYTES + 4);
  bytes.write(debug, FRAME_HEAD_BYTES + 8, "latin1");
  return bytes;
}

export function resetFrame(streamId: number, code: number): Buffer {
  const bytes = frame(4, FrameType.RST_STREAM, 0, streamId);
  bytes.writeUInt32BE(code, FRAME_HEAD_BYTES);
  return bytes;
}

export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  const bytes = frame(4, FrameType.WINDOW_UPDATE, 0, streamId);
  bytes.writeUInt32BE(increment, FRAME_HEAD_BYTES);
  return bytes;
}

/** DATA that carries nothing but the end of its stream. */
export function endOfStreamFrame(streamId: number): Buffer {
  return frame(0, FrameType.DATA, Flag.END_STREAM, streamId);
}
