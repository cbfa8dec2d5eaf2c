import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { headerDictionary, headerDictionaryId } from "./dictionary.ts";

/** Names in lower case; several values of one name are joined by NUL (SPDY/3 §2.6.10). */
export type SpdyHeaders = Readonly<Record<string, string>>;

/** How far back deflate can point (RFC 1951 §2). */
const windowBytes = 32_768;

/** A header block may not inflate to more than this. */
const headerBytesMax = 65_536;

/**
 * One direction of a connection's header compression. SPDY runs one zlib stream over all header blocks of a direction,
 * flushed after each. Node offers no synchronous streaming zlib, but a flushed block is a whole number of bytes and
 * leans on the past only through the last 32 KiB of text: so each block is (de)compressed on its own, with that text as
 * its dictionary.
 */
export class HeaderCompression {
  private past: Buffer = headerDictionary;
  private begun = false;

  compress(headers: SpdyHeaders): Buffer {
    const text = encodePairs(headers);
    const block = deflateRawSync(text, { dictionary: this.past, finishFlush: constants.Z_SYNC_FLUSH });
    this.remember(text);
    if (this.begun) return block;
    this.begun = true;
    return Buffer.concat([zlibHeader(), block]);
  }

  /** @throws Error when the block is no such zlib text, or too long. */
  decompress(block: Buffer): SpdyHeaders {
    const raw = this.begun ? block : block.subarray(zlibHeaderLength(block));
    this.begun = true;
    const text = inflateRawSync(raw, {
      dictionary: this.past,
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: headerBytesMax,
    });
    this.remember(text);
    return decodePairs(text);
  }

  private remember(text: Buffer): void {
    const all = Buffer.concat([this.past, text]);
    this.past = all.subarray(Math.max(0, all.length - windowBytes));
  }
}

/** RFC 1950 §2.2: deflate, 32 KiB window, FDICT with the dictionary's id. */
function zlibHeader(): Buffer {
  const header = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
  header.writeUInt32BE(headerDictionaryId, 2);
  return header;
}

function zlibHeaderLength(block: Buffer): number {
  const hasDictionary = block.length > 1 && (block[1]! & 0x20) !== 0;
  return hasDictionary ? 6 : 2;
}

/** The text under the compression: a count, then names and values, each with its 32-bit length. */
export function encodePairs(headers: SpdyHeaders): Buffer {
  const pairs = Object.entries(headers);
  const parts = [uint32(pairs.length)];
  for (const [name, value] of pairs) parts.push(...withLength(name.toLowerCase()), ...withLength(value));
  return Buffer.concat(parts);
}

/** @throws Error when a length leads beyond the text. */
export function decodePairs(text: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {};
  let at = 0;
  const number = (): number => {
    if (at + 4 > text.length) throw new Error("SPDY header block ends inside a length");
    at += 4;
    return text.readUInt32BE(at - 4);
  };
  const word = (): string => {
    const length = number();
    if (at + length > text.length) throw new Error("SPDY header block ends inside a word");
    at += length;
    return text.toString("utf8", at - length, at);
  };
  for (let left = number(); left > 0; left -= 1) {
    const name = word();
    headers[name] = word();
  }
  return headers;
}

function withLength(word: string): [Buffer, Buffer] {
  const bytes = Buffer.from(word);
  return [uint32(bytes.length), bytes];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
