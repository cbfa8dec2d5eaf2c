import { BodyReader } from "./body.ts";
import { CLASS, CR, decimal, isNamed, LF, SP, TEXT, trimEnd, trimStart } from "./bytes.ts";
import { ConnectionOption, readConnectionOptions } from "./connection-options.ts";
import type { Http1Fault } from "./faults.ts";
import { MessageReader, textFault } from "./message.ts";
import { isChunked } from "./request.ts";

const NAME = {
  connection: Buffer.from("connection"),
  contentLength: Buffer.from("content-length"),
  transferEncoding: Buffer.from("transfer-encoding"),
};
const VERSION = Buffer.from("HTTP/1.");
/** `HTTP/1.1 200` */
const STATUS_END = 12;

/** Header lines of one kind inside `bytes`, with their CRLF. */
export interface Line {
  readonly from: number;
  readonly to: number;
}

/** Reads responses. `expect` says before each one which request it answers. */
export class ResponseReader extends MessageReader {
  status = 0;
  isHttp10 = false;
  /** The server lets the connection go on after this answer. */
  keepsAlive = false;
  /** 1xx but 101: the answer itself is still to come. */
  isInterim = false;
  /** The server's Connection lines, for who must change them. */
  readonly connectionLines: Line[] = [];
  #toHead = false;
  #toUpgrade = false;
  #length = -1;
  #isChunked = false;
  #options = 0;

  constructor(headBytesMax: number) {
    super(new BodyReader("response"), headBytesMax);
  }

  /** @param method  of the request, because an answer to HEAD has no body (RFC 9112 §6.3) */
  expect(method: string, asksUpgrade: boolean): void {
    this.#toHead = method === "HEAD";
    this.#toUpgrade = asksUpgrade;
  }

  /** The body ends with the connection, so its end cannot be told from a loss by the bytes alone. */
  get endsWithConnection(): boolean {
    return this.body.endsWithConnection;
  }

  /** The end of the body is known beforehand: none, or a Content-Length. */
  get isCounted(): boolean {
    return !this.#isChunked && !this.body.endsWithConnection;
  }

  protected override beginHead(): void {
    this.#length = -1;
    this.#isChunked = false;
    this.#options = 0;
    if (this.connectionLines.length > 0) this.connectionLines.length = 0;
  }

  protected override readStartLine(bytes: Buffer, from: number, end: number): number {
    let at = from;
    for (; at < Math.min(end, from + STATUS_END); at++) {
      if (!this.#isStatusByte(bytes[at]!, at - from)) return this.#refuse("bad_status_line");
    }
    if (at < from + STATUS_END) return -1;
    // The reason phrase may be empty, and some servers leave out the space before it.
    if (at < end && bytes[at] !== SP && bytes[at] !== CR) {
      return this.#refuse(bytes[at] === LF ? "bare_lf" : "bad_status_line");
    }
    while (at < end && (CLASS[bytes[at]!]! & TEXT) !== 0) at++;
    if (at === end) return -1;
    if (bytes[at] !== CR) return this.#refuse(textFault(bytes[at]!));
    if (at + 1 === end) return -1;
    if (bytes[at + 1] !== LF) return this.#refuse("bare_cr");
    this.isHttp10 = bytes[from + 7] === 0x30;
    this.status = decimal(bytes, from + 9, from + STATUS_END);
    return this.status >= 100 ? at + 2 : this.#refuse("bad_status_line");
  }

  #isStatusByte(byte: number, i: number): boolean {
    if (i < VERSION.length) return byte === VERSION[i];
    if (i === VERSION.length) return byte === 0x30 || byte === 0x31;
    if (i === VERSION.length + 1) return byte === SP;
    return byte >= 0x30 && byte <= 0x39;
  }

  protected override takeField(
    bytes: Buffer,
    line: number,
    colon: number,
    end: number,
  ): Http1Fault | undefined {
    switch (colon - line) {
      case 10:
        if (!isNamed(bytes, line, NAME.connection)) return undefined;
        this.#options |= readConnectionOptions(bytes, colon + 1, end);
        this.connectionLines.push({ from: line, to: end + 2 });
        return undefined;
      case 14: {
        if (!isNamed(bytes, line, NAME.contentLength)) return undefined;
        if (this.#length >= 0) return "two_lengths";
        const start = trimStart(bytes, colon + 1, end);
        this.#length = decimal(bytes, start, trimEnd(bytes, start, end));
        return this.#length < 0 ? "bad_length" : undefined;
      }
      case 17:
        if (!isNamed(bytes, line, NAME.transferEncoding)) return undefined;
        if (this.#isChunked || !isChunked(bytes, colon + 1, end)) return "bad_transfer_encoding";
        this.#isChunked = true;
        return undefined;
      default:
        return undefined;
    }
  }

  protected override finishHead(): "body" | "between" | "opaque" | Http1Fault {
    const { status } = this;
    this.isInterim = status < 200 && status !== 101;
    if (status === 101) return this.#toUpgrade ? "opaque" : "upgrade_not_asked";
    if (this.#isChunked && this.#length >= 0) return "length_and_chunked";
    if (this.#isChunked && this.isHttp10) return "transfer_encoding_http10";
    if (this.isInterim) return "between";
    const options = this.#options;
    this.keepsAlive = this.isHttp10
      ? (options & ConnectionOption.keepAlive) !== 0 && (options & ConnectionOption.close) === 0
      : (options & ConnectionOption.close) === 0;
    if (this.#toHead || status === 204 || status === 304) this.body.beginNone();
    else if (this.#isChunked) this.body.beginChunked();
    else if (this.#length >= 0) this.body.beginCounted(this.#length);
    else {
      this.body.beginUntilClose();
      this.keepsAlive = false;
    }
    return "body";
  }

  #refuse(fault: Http1Fault): -1 {
    this.fault = fault;
    return -1;
  }
}
