import { Flag, FRAME_BYTES_DEFAULT, FRAME_HEAD_BYTES, FrameType, writeFrameHead } from "../frames.ts";
import { type HeaderField, staticNameIndex } from "./table.ts";

/**
 * A literal without indexing leaves the table alone (RFC 7541 §6.2.2): it can stand in any block, beside those that
 * another encoder wrote. Strings go plain; Huffman would save a few bytes on a path that is rare or short.
 * @returns where the field ends
 */
export function writeLiteral(
  out: Buffer,
  at: number,
  name: string,
  value: string,
  neverIndexed: boolean,
): number {
  const pattern = neverIndexed ? 0x10 : 0x00;
  const index = staticNameIndex(name);
  let end = writeInteger(out, at, pattern, 0x0f, index);
  if (index === 0) end = writeString(out, end, name);
  return writeString(out, end, value);
}

/** The most bytes `writeLiteral` can take. */
export function literalBytesMax(name: string, value: string): number {
  return name.length + value.length + 12;
}

/** One literal, on its own: made once and kept, so it must not keep a pool of 8 KB alive. */
export function literal(name: string, value: string, neverIndexed = false): Buffer {
  const out = Buffer.allocUnsafeSlow(literalBytesMax(name, value));
  return out.subarray(0, writeLiteral(out, 0, name, value, neverIndexed));
}

/** RFC 7541 §6.3: the table is emptied and stays so. */
const EMPTY_THE_TABLE = 0x20;

export interface BlockParts {
  readonly fields: Iterable<HeaderField>;
  /** A literal that goes last, as `literal` makes it. */
  readonly last?: Buffer | undefined;
  /** The first block since another encoder wrote: what its table holds must go. */
  readonly emptyTable?: boolean;
}

/** A header block as frames, in literals only: HEADERS, and CONTINUATION where it exceeds the default frame size. */
export function headerFrames(streamId: number, endStream: boolean, parts: BlockParts): Buffer {
  const block = encodeBlock(parts);
  const count = Math.max(1, Math.ceil(block.length / FRAME_BYTES_DEFAULT));
  const frames = Buffer.allocUnsafe(block.length + count * FRAME_HEAD_BYTES);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const from = index * FRAME_BYTES_DEFAULT;
    const to = Math.min(block.length, from + FRAME_BYTES_DEFAULT);
    const type = index === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const ends = index === 0 && endStream ? Flag.END_STREAM : 0;
    const whole = index === count - 1 ? Flag.END_HEADERS : 0;
    at = writeFrameHead(frames, at, to - from, type, ends | whole, streamId);
    at += block.copy(frames, at, from, to);
  }
  return frames;
}

function encodeBlock({ fields, last, emptyTable = false }: BlockParts): Buffer {
  let most = 1 + (last?.length ?? 0);
  for (const field of fields) most += literalBytesMax(field.name, field.value);
  const out = Buffer.allocUnsafe(most);
  let at = 0;
  if (emptyTable) out[at++] = EMPTY_THE_TABLE;
  for (const field of fields) at = writeLiteral(out, at, field.name, field.value, field.neverIndexed);
  if (last !== undefined) at += last.copy(out, at);
  return out.subarray(0, at);
}

function writeInteger(out: Buffer, at: number, pattern: number, mask: number, value: number): number {
  if (value < mask) {
    out[at] = pattern | value;
    return at + 1;
  }
  out[at] = pattern | mask;
  let rest = value - mask;
  let end = at + 1;
  while (rest >= 0x80) {
    out[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[end] = rest;
  return end + 1;
}

function writeString(out: Buffer, at: number, text: string): number {
  const start = writeInteger(out, at, 0, 0x7f, text.length);
  return start + out.write(text, start, "latin1");
}
