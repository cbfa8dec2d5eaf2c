import type { BodyReader } from "./body.ts";
import { CLASS, COLON, CR, HTAB, LF, SP, TOKEN, textEnd, wordsOf } from "./bytes.ts";
import type { Http1Fault } from "./faults.ts";

/**
 * What comes next in the stream:
 * - `more`  nothing until the next chunk
 * - `head`  a head is complete: `bytes` from `from` to `to` are it, with its empty line
 * - `body`  `bytes` from `from` to `to` are body, to be relayed as they are (chunk lines included)
 * - `end`   the message is complete; what follows belongs to the next one
 * - `bad`   `fault` says why; the stream cannot be read any further
 */
export type Http1Event = "more" | "head" | "body" | "end" | "bad";

/** Header lines of one head. HAProxy allows 101 (`tune.http.maxhdr`). */
export const FIELDS_MAX = 128;
const NAME_BYTES_MAX = 256;
const KEPT_BYTES_MIN = 2_048;
const NOTHING = Buffer.alloc(0);

/**
 * Reads one direction of a connection: `feed` a chunk, then call `next` until it says `more`, `bad`, or the message
 * ends. Chunks are looked at in place; only a head that spans chunks is gathered, up to `headBytesMax`.
 */
export abstract class MessageReader {
  bytes: Buffer = NOTHING;
  from = 0;
  to = 0;
  fault: Http1Fault | undefined;
  protected readonly body: BodyReader;
  readonly #headBytesMax: number;
  #stage: "between" | "head" | "body" | "opaque" = "between";
  /** `bytes` is a buffer of our own, in which a head is gathered. */
  #gathering = false;
  #end = 0;
  #at = 0;
  // The head that is being read: its begin, the present line's begin, its colon (-1: not found yet), lines so far.
  #headFrom = 0;
  #line = 0;
  #colon = -1;
  #fields = 0;
  #startLineRead = false;

  constructor(body: BodyReader, headBytesMax: number) {
    this.body = body;
    this.#headBytesMax = headBytesMax;
  }

  /** Forgets what the last head said. */
  protected abstract beginHead(): void;
  /**
   * Reads the start line.
   * @returns the offset behind its CRLF; -1 when bytes run out or `fault` was set
   */
  protected abstract readStartLine(bytes: Buffer, from: number, end: number): number;
  /** Takes one header line: name from `line` to `colon`, value (untrimmed) from `colon + 1` to `end`, then CRLF. */
  protected abstract takeField(
    bytes: Buffer,
    line: number,
    colon: number,
    end: number,
  ): Http1Fault | undefined;
  /**
   * Judges the whole head and begins the body.
   * @returns `between`: no body and another head of the same message follows (1xx); `opaque`: HTTP ends here (101)
   */
  protected abstract finishHead(): "body" | "between" | "opaque" | Http1Fault;

  /** Some bytes of a head were read, but not all. */
  get isInsideHead(): boolean {
    return this.#stage === "head";
  }

  /** At the boundary between two messages. */
  get isBetween(): boolean {
    return this.#stage === "between";
  }

  /** Gives the next chunk; all of the one before must have been read. */
  feed(chunk: Buffer): void {
    if (this.#gathering) {
      this.#gather(chunk, 0, chunk.length);
      return;
    }
    this.bytes = chunk;
    this.#at = 0;
    this.#end = chunk.length;
  }

  next(): Http1Event {
    switch (this.#stage) {
      case "body":
        return this.#nextOfBody();
      case "opaque":
        return "more";
      default:
        return this.#nextOfHead();
    }
  }

  /** Takes out what was not read; the reader then waits for its next chunk. */
  takeRest(): Buffer | undefined {
    const rest = this.#at < this.#end ? this.bytes.subarray(this.#at, this.#end) : undefined;
    this.#letGo();
    return rest;
  }

  #nextOfBody(): Http1Event {
    const { body } = this;
    while (!body.done) {
      if (this.#at === this.#end) return this.#more();
      this.from = this.#at;
      this.to = body.advance(this.bytes, this.#at, this.#end);
      this.#at = body.resumeAt;
      if (body.fault !== undefined) return this.#bad(body.fault);
      if (this.to > this.from) return "body";
    }
    this.#stage = "between";
    return "end";
  }

  #nextOfHead(): Http1Event {
    if (this.#stage === "between") {
      if (this.#at === this.#end) return this.#more();
      this.#stage = "head";
      this.#startHead(this.#at);
    }
    const step = this.#readHead();
    if (step === "more") return this.#keepHead();
    if (step === "bad") return "bad";
    this.from = this.#headFrom;
    this.to = this.#at;
    if (this.to - this.from > this.#headBytesMax) return this.#bad("head_too_large");
    const follows = this.finishHead();
    if (follows !== "body" && follows !== "between" && follows !== "opaque") return this.#bad(follows);
    this.#stage = follows;
    this.#gathering = false;
    return "head";
  }

  #startHead(at: number): void {
    this.#headFrom = at;
    this.#line = at;
    this.#colon = -1;
    this.#fields = 0;
    this.#startLineRead = false;
    this.beginHead();
  }

  #readHead(): "more" | "bad" | "head" {
    if (!this.#startLineRead) {
      const behind = this.readStartLine(this.bytes, this.#headFrom, this.#end);
      if (this.fault !== undefined) return "bad";
      if (behind < 0) return "more";
      this.#startLineRead = true;
      this.#line = behind;
    }
    return this.#readFields();
  }

  /** The one loop over every byte of every header line; goes on where it stopped. */
  #readFields(): "more" | "bad" | "head" {
    const { bytes } = this;
    const words = wordsOf(bytes);
    const shift = bytes.byteOffset & 3;
    const table = CLASS;
    const end = this.#end;
    let line = this.#line;
    let colon = this.#colon;
    let at = this.#at;
    for (;;) {
      if (colon < 0) {
        at = line;
        while (at < end && (table[bytes[at]!]! & TOKEN) !== 0) at++;
        if (at === end) {
          this.#line = line;
          this.#colon = -1;
          return at - line > NAME_BYTES_MAX ? this.#fail("head_too_large") : "more";
        }
        if (bytes[at] !== COLON || at === line) {
          if (bytes[at] !== CR || at !== line) return this.#fail(nameFault(bytes, line, at));
          // The empty line that ends the head.
          this.#line = line;
          this.#colon = -1;
          if (at + 1 === end) return "more";
          if (bytes[at + 1] !== LF) return this.#fail("bare_cr");
          this.#at = at + 2;
          return "head";
        }
        colon = at;
        at++;
      }
      at = textEnd(bytes, words, shift, at, end);
      if (at + 1 >= end) {
        if (at < end && bytes[at] !== CR) return this.#fail(textFault(bytes[at]!));
        this.#line = line;
        this.#colon = colon;
        this.#at = at;
        return "more";
      }
      if (bytes[at] !== CR) return this.#fail(textFault(bytes[at]!));
      if (bytes[at + 1] !== LF) return this.#fail("bare_cr");
      if (++this.#fields > FIELDS_MAX) return this.#fail("too_many_fields");
      const fault = this.takeField(bytes, line, colon, at);
      if (fault !== undefined) return this.#fail(fault);
      line = at + 2;
      colon = -1;
    }
  }

  /** The head goes on in the next chunk: what is there of it moves into a buffer of our own. */
  #keepHead(): Http1Event {
    if (this.#end - this.#headFrom > this.#headBytesMax) return this.#bad("head_too_large");
    if (this.#gathering) return "more";
    const chunk = this.bytes;
    const from = this.#headFrom;
    const end = this.#end;
    this.bytes = Buffer.allocUnsafe(Math.max(KEPT_BYTES_MIN, 2 * (end - from)));
    this.#end = 0;
    this.#gathering = true;
    this.#gather(chunk, from, end);
    // Offsets taken so far belong to the chunk: this part is read once more, from the new buffer.
    this.#at = 0;
    this.#startHead(0);
    return "more";
  }

  #gather(chunk: Buffer, from: number, to: number): void {
    const length = this.#end + to - from;
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      this.bytes.copy(larger, 0, 0, this.#end);
      this.bytes = larger;
    }
    chunk.copy(this.bytes, this.#end, from, to);
    this.#end = length;
  }

  #more(): Http1Event {
    this.#letGo();
    return "more";
  }

  #letGo(): void {
    this.bytes = NOTHING;
    this.#at = 0;
    this.#end = 0;
  }

  #fail(fault: Http1Fault): "bad" {
    this.fault = fault;
    return "bad";
  }

  #bad(fault: Http1Fault): Http1Event {
    this.fault = fault;
    return "bad";
  }
}

/** Why a header line has no colon behind a good name. */
function nameFault(bytes: Buffer, line: number, at: number): Http1Fault {
  const byte = bytes[at]!;
  if (byte === SP || byte === HTAB) return at === line ? "folded_line" : "space_before_colon";
  if (byte === LF) return "bare_lf";
  if (byte === CR) return "no_colon";
  return byte < SP || byte === 0x7f ? "control_byte" : "bad_name";
}

/** Why a byte may not stand in a value. */
export function textFault(byte: number): Http1Fault {
  return byte === LF ? "bare_lf" : "control_byte";
}
