import { CLASS, COLON, CR, hexDigit, LF, TEXT, TOKEN } from "./bytes.ts";
import type { Http1Fault } from "./faults.ts";

/** Of a chunk-size line with its extensions, and of a whole trailer section. */
const CHUNK_LINE_BYTES_MAX = 256;
const TRAILER_BYTES_MAX = 8_192;
const CHUNK_SIZE_DIGITS_MAX = 16;

type Phase =
  | "done"
  | "counted"
  | "until-close"
  | "size"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer"
  | "trailer-name"
  | "trailer-value"
  | "trailer-lf"
  | "last-lf";

/** Finds where a body ends (RFC 9112 §6.3, §7.1). Holds counts only, never bytes. */
export class BodyReader {
  fault: Http1Fault | undefined;
  /** Where reading goes on after `advance`: behind what it returned, where bytes are to be dropped. */
  resumeAt = 0;
  readonly #dropTrailers: boolean;
  readonly #extensionsAllowed: boolean;
  #phase: Phase = "done";
  /** Bytes of the counted body or of the present chunk that are still to come. */
  #left = 0;
  /** Bytes of the present line, or of the trailer section. */
  #lineBytes = 0;

  /**
   * Requests: extensions are refused, because no Kubernetes client sends them and smuggling is built on how lenient
   * they are read; trailers are dropped (RFC 9110 §6.5.1 lets an intermediary), so that none passes for a header.
   * Responses: both are kept, as long as their lines are well formed.
   */
  constructor(of: "request" | "response") {
    this.#dropTrailers = of === "request";
    this.#extensionsAllowed = of === "response";
  }

  beginNone(): void {
    this.#phase = "done";
  }

  beginCounted(bytes: number): void {
    this.#phase = bytes === 0 ? "done" : "counted";
    this.#left = bytes;
  }

  beginChunked(): void {
    this.#phase = "size";
    this.#left = 0;
    this.#lineBytes = 0;
  }

  beginUntilClose(): void {
    this.#phase = "until-close";
  }

  get done(): boolean {
    return this.#phase === "done";
  }

  /** The body has no end of its own: the end of the connection is its end. */
  get endsWithConnection(): boolean {
    return this.#phase === "until-close";
  }

  /**
   * Reads on. Sets `done`, `fault` and `resumeAt`.
   * @returns the end of what may be relayed, counted from `from`
   */
  advance(bytes: Buffer, from: number, end: number): number {
    switch (this.#phase) {
      case "done":
        this.resumeAt = from;
        return from;
      case "until-close":
        this.resumeAt = end;
        return end;
      case "counted": {
        const to = Math.min(end, from + this.#left);
        this.#left -= to - from;
        if (this.#left === 0) this.#phase = "done";
        this.resumeAt = to;
        return to;
      }
      default:
        return this.#advanceChunked(bytes, from, end);
    }
  }

  #advanceChunked(bytes: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end && this.#phase !== "done") {
      if (this.#phase === "data") {
        const to = Math.min(end, at + this.#left);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#phase = "data-cr";
        continue;
      }
      if (this.#dropTrailers && this.#isInTrailerLine(bytes[at]!)) {
        // What stands before the trailers goes on first; they themselves are read and left out.
        if (at > from) break;
        this.resumeAt = this.#skipTrailerLine(bytes, at, end);
        return from;
      }
      this.#step(bytes[at]!);
      if (this.fault !== undefined) break;
      at++;
    }
    this.resumeAt = at;
    return at;
  }

  #isInTrailerLine(byte: number): boolean {
    switch (this.#phase) {
      case "trailer":
        return byte !== CR;
      case "trailer-name":
      case "trailer-value":
      case "trailer-lf":
        return true;
      default:
        return false;
    }
  }

  #skipTrailerLine(bytes: Buffer, from: number, end: number): number {
    let at = from;
    do {
      this.#step(bytes[at]!);
      at++;
    } while (at < end && this.fault === undefined && this.#phase !== "trailer");
    return at;
  }

  /** One byte of the lines between the data. They are few and short, so a byte at a time is quick enough. */
  #step(byte: number): void {
    switch (this.#phase) {
      case "size":
        this.#sizeByte(byte);
        return;
      case "extension":
        if (byte === CR) this.#phase = "size-lf";
        else if (byte === LF) this.fault = "bare_lf";
        else if ((CLASS[byte]! & TEXT) === 0) this.fault = "control_byte";
        else this.#countLine(CHUNK_LINE_BYTES_MAX, "chunk_extension");
        return;
      case "size-lf":
        this.#expect(byte, LF, this.#left > 0 ? "data" : "trailer", "bare_cr");
        this.#lineBytes = 0;
        return;
      case "data-cr":
        this.#expect(byte, CR, "data-lf", "bad_chunk_end");
        return;
      case "data-lf":
        this.#expect(byte, LF, "size", "bad_chunk_end");
        this.#lineBytes = 0;
        return;
      case "trailer":
        if (byte === CR) this.#phase = "last-lf";
        else if ((CLASS[byte]! & TOKEN) !== 0) this.#phase = "trailer-name";
        else this.fault = byte === LF ? "bare_lf" : "bad_trailer";
        this.#countLine(TRAILER_BYTES_MAX, "head_too_large");
        return;
      case "trailer-name":
        if (byte === COLON) this.#phase = "trailer-value";
        else if ((CLASS[byte]! & TOKEN) === 0) this.fault = "bad_trailer";
        this.#countLine(TRAILER_BYTES_MAX, "head_too_large");
        return;
      case "trailer-value":
        if (byte === CR) this.#phase = "trailer-lf";
        else if ((CLASS[byte]! & TEXT) === 0) this.fault = byte === LF ? "bare_lf" : "bad_trailer";
        this.#countLine(TRAILER_BYTES_MAX, "head_too_large");
        return;
      case "trailer-lf":
        this.#expect(byte, LF, "trailer", "bare_cr");
        return;
      case "last-lf":
        this.#expect(byte, LF, "done", "bare_cr");
        return;
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      this.#lineBytes++;
      if (this.#lineBytes > CHUNK_SIZE_DIGITS_MAX || this.#left > Number.MAX_SAFE_INTEGER) {
        this.fault = "bad_chunk_size";
      }
      return;
    }
    if (this.#lineBytes === 0) this.fault = "bad_chunk_size";
    else if (byte === CR) this.#phase = "size-lf";
    else if (byte === LF) this.fault = "bare_lf";
    else if (byte !== 0x3b /* ; */) this.fault = "bad_chunk_size";
    else if (this.#extensionsAllowed) this.#phase = "extension";
    else this.fault = "chunk_extension";
  }

  #expect(byte: number, wanted: number, then: Phase, fault: Http1Fault): void {
    if (byte === wanted) this.#phase = then;
    else this.fault = fault;
  }

  #countLine(bytesMax: number, fault: Http1Fault): void {
    this.#lineBytes++;
    if (this.#lineBytes > bytesMax) this.fault = fault;
  }
}
