import { BodyReader } from "./body.ts";
import { CLASS, CR, decimal, HOST, isNamed, LF, SP, TARGET, TOKEN, trimEnd, trimStart } from "./bytes.ts";
import { ConnectionOption, readConnectionOptions } from "./connection-options.ts";
import type { Http1Fault } from "./faults.ts";
import { MessageReader, textFault } from "./message.ts";

/**
 * What is to become of a header line by its name alone: policy, so it is asked for from outside.
 * Called for every line that HTTP/1 itself gives no meaning; must not keep the bytes.
 */
export type FieldRule = (bytes: Buffer, from: number, to: number) => "keep" | "remove" | "refuse";

/** A header line that a relay may have to take out or rewrite; `from` to `to` with its CRLF, inside `bytes`. */
export interface MarkedLine {
  readonly kind: "connection" | "upgrade" | "te" | "remove";
  readonly from: number;
  readonly to: number;
  readonly valueFrom: number;
  readonly valueTo: number;
}

const METHOD_BYTES_MAX = 32;
const NAME = {
  te: Buffer.from("te"),
  host: Buffer.from("host"),
  upgrade: Buffer.from("upgrade"),
  connection: Buffer.from("connection"),
  keepAlive: Buffer.from("keep-alive"),
  userAgent: Buffer.from("user-agent"),
  authorization: Buffer.from("authorization"),
  contentLength: Buffer.from("content-length"),
  http2Settings: Buffer.from("http2-settings"),
  proxyConnection: Buffer.from("proxy-connection"),
  transferEncoding: Buffer.from("transfer-encoding"),
};
const CHUNKED = Buffer.from("chunked");
const VERSION = Buffer.from("HTTP/1.");

/**
 * Reads requests. After `head` the fields below tell of it, until the next `head`.
 * Refused beyond what RFC 9112 demands: whole URLs as targets, an empty line before a request, two Authorization lines,
 * chunk extensions, an Upgrade with a body.
 */
export class RequestReader extends MessageReader {
  method = "";
  /** Path and query as sent. */
  target = "";
  /** `Host` as sent; undefined only in HTTP/1.0. */
  authority: string | undefined;
  userAgent: string | undefined;
  isHttp10 = false;
  /** The client lets the connection go on after the answer (RFC 9112 §9.3). */
  keepsAlive = false;
  hasBody = false;
  /** Asks for another protocol that is not HTTP itself; a 101 may answer it. */
  asksUpgrade = false;
  /** Lines that hop-by-hop rules or the field rule may touch; none in most requests. */
  readonly marked: MarkedLine[] = [];
  readonly #rule: FieldRule;
  #targetFrom = 0;
  #targetTo = 0;
  #hosts = 0;
  #authorizations = 0;
  #length = -1;
  #isChunked = false;
  #options = 0;

  constructor(headBytesMax: number, rule: FieldRule) {
    super(new BodyReader("request"), headBytesMax);
    this.#rule = rule;
  }

  /**
   * GET or HEAD without a body: to send it twice does no harm (RFC 9110 §9.2.2). But not where another protocol is asked
   * for: an `exec` over WebSocket is a GET, and runs a command.
   */
  get isPlainRead(): boolean {
    return !this.hasBody && !this.asksUpgrade && (this.method === "GET" || this.method === "HEAD");
  }

  protected override beginHead(): void {
    this.authority = undefined;
    this.userAgent = undefined;
    // Setting a length costs even where nothing is to be cut.
    if (this.marked.length > 0) this.marked.length = 0;
    this.#targetFrom = 0;
    this.#targetTo = 0;
    this.#hosts = 0;
    this.#authorizations = 0;
    this.#length = -1;
    this.#isChunked = false;
    this.#options = 0;
  }

  protected override readStartLine(bytes: Buffer, from: number, end: number): number {
    if (this.#targetFrom === 0) {
      let at = from;
      while (at < end && (CLASS[bytes[at]!]! & TOKEN) !== 0) at++;
      if (at - from > METHOD_BYTES_MAX) return this.#refuse("bad_method");
      if (at === end) return -1;
      if (at === from || bytes[at] !== SP) return this.#refuse("bad_method");
      this.method = methodOf(bytes, from, at);
      this.#targetFrom = at + 1;
      this.#targetTo = at + 1;
    }
    let at = this.#targetTo;
    while (at < end && (CLASS[bytes[at]!]! & TARGET) !== 0) at++;
    this.#targetTo = at;
    if (at === end) return -1;
    if (bytes[at] !== SP) return this.#refuse(startLineFault(bytes[at]!));
    if (at === this.#targetFrom) return this.#refuse("bad_target");
    const behind = this.#readVersion(bytes, at + 1, end);
    if (behind < 0) return -1;
    this.target = bytes.toString("latin1", this.#targetFrom, at);
    const fault = this.#judgeTarget();
    return fault === undefined ? behind : this.#refuse(fault);
  }

  /** `HTTP/1.0` or `HTTP/1.1` and CRLF, each byte judged as it comes. */
  #readVersion(bytes: Buffer, from: number, end: number): number {
    const whole = from + VERSION.length + 3;
    for (let at = from; at < Math.min(end, whole); at++) {
      const byte = bytes[at]!;
      const i = at - from;
      if (i < VERSION.length) {
        if (byte !== VERSION[i]) return this.#refuse(this.#versionFault(byte));
      } else if (i === VERSION.length) {
        if (byte !== 0x30 && byte !== 0x31) return this.#refuse("bad_version");
        this.isHttp10 = byte === 0x30;
      } else if (i === VERSION.length + 1) {
        if (byte !== CR) return this.#refuse(byte === LF ? "bare_lf" : "bad_version");
      } else if (byte !== LF) return this.#refuse("bare_cr");
    }
    return end >= whole ? whole : -1;
  }

  #versionFault(byte: number): Http1Fault {
    if (this.method === "PRI") return "http2_preface";
    // Two spaces before the version, or a third word: the target is not what it seems.
    return byte === SP ? "bad_target" : "bad_version";
  }

  /** Origin-form only; `*` for OPTIONS (RFC 9112 §3.2). */
  #judgeTarget(): Http1Fault | undefined {
    const { method, target } = this;
    if (method === "CONNECT") return "connect";
    if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return undefined;
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? "absolute_target" : "bad_target";
  }

  protected override takeField(
    bytes: Buffer,
    line: number,
    colon: number,
    end: number,
  ): Http1Fault | undefined {
    switch (colon - line) {
      case 2:
        if (isNamed(bytes, line, NAME.te)) return this.#mark("te", bytes, line, colon, end);
        break;
      case 4:
        if (isNamed(bytes, line, NAME.host)) return this.#takeHost(bytes, colon + 1, end);
        break;
      case 7:
        if (isNamed(bytes, line, NAME.upgrade)) return this.#mark("upgrade", bytes, line, colon, end);
        break;
      case 10:
        if (isNamed(bytes, line, NAME.userAgent)) {
          this.userAgent = bytes.toString(
            "latin1",
            trimStart(bytes, colon + 1, end),
            trimEnd(bytes, colon + 1, end),
          );
          return undefined;
        }
        if (isNamed(bytes, line, NAME.connection)) return this.#takeConnection(bytes, line, colon, end);
        if (isNamed(bytes, line, NAME.keepAlive)) return this.#mark("remove", bytes, line, colon, end);
        break;
      case 13:
        if (!isNamed(bytes, line, NAME.authorization)) break;
        return ++this.#authorizations > 1 ? "two_authorizations" : undefined;
      case 14:
        if (isNamed(bytes, line, NAME.contentLength)) return this.#takeLength(bytes, colon + 1, end);
        if (isNamed(bytes, line, NAME.http2Settings)) return this.#mark("remove", bytes, line, colon, end);
        break;
      case 16:
        if (isNamed(bytes, line, NAME.proxyConnection)) return this.#mark("remove", bytes, line, colon, end);
        break;
      case 17:
        if (isNamed(bytes, line, NAME.transferEncoding)) return this.#takeCoding(bytes, colon + 1, end);
        break;
    }
    switch (this.#rule(bytes, line, colon)) {
      case "keep":
        return undefined;
      case "remove":
        return this.#mark("remove", bytes, line, colon, end);
      case "refuse":
        return "forbidden_name";
    }
  }

  #takeHost(bytes: Buffer, from: number, to: number): Http1Fault | undefined {
    if (++this.#hosts > 1) return "two_hosts";
    const start = trimStart(bytes, from, to);
    const end = trimEnd(bytes, start, to);
    if (start === end) return "bad_host";
    for (let at = start; at < end; at++) {
      if ((CLASS[bytes[at]!]! & HOST) === 0) return "bad_host";
    }
    this.authority = bytes.toString("latin1", start, end);
    return undefined;
  }

  #takeLength(bytes: Buffer, from: number, to: number): Http1Fault | undefined {
    if (this.#length >= 0) return "two_lengths";
    const start = trimStart(bytes, from, to);
    this.#length = decimal(bytes, start, trimEnd(bytes, start, to));
    return this.#length < 0 ? "bad_length" : undefined;
  }

  #takeCoding(bytes: Buffer, from: number, to: number): Http1Fault | undefined {
    if (this.#isChunked) return "bad_transfer_encoding";
    this.#isChunked = isChunked(bytes, from, to);
    return this.#isChunked ? undefined : "bad_transfer_encoding";
  }

  #takeConnection(bytes: Buffer, line: number, colon: number, end: number): undefined {
    const options = readConnectionOptions(bytes, colon + 1, end);
    this.#options |= options;
    // A line of `close` and `keep-alive` is for both hops alike, as they live and die together.
    if ((options & ~(ConnectionOption.close | ConnectionOption.keepAlive)) !== 0) {
      this.#mark("connection", bytes, line, colon, end);
    }
    return undefined;
  }

  #mark(kind: MarkedLine["kind"], bytes: Buffer, line: number, colon: number, end: number): undefined {
    const valueFrom = trimStart(bytes, colon + 1, end);
    this.marked.push({ kind, from: line, to: end + 2, valueFrom, valueTo: trimEnd(bytes, valueFrom, end) });
    return undefined;
  }

  protected override finishHead(): "body" | Http1Fault {
    if (this.#hosts === 0 && !this.isHttp10) return "no_host";
    if (this.#isChunked) {
      if (this.isHttp10) return "transfer_encoding_http10";
      if (this.#length >= 0) return "length_and_chunked";
    }
    const options = this.#options;
    this.keepsAlive = this.isHttp10
      ? (options & ConnectionOption.keepAlive) !== 0 && (options & ConnectionOption.close) === 0
      : (options & ConnectionOption.close) === 0;
    this.hasBody = this.#isChunked || this.#length > 0;
    this.asksUpgrade = this.#judgeUpgrade();
    if (this.asksUpgrade && this.hasBody) return "upgrade_with_body";
    if (this.#isChunked) this.body.beginChunked();
    else this.body.beginCounted(Math.max(0, this.#length));
    return "body";
  }

  /** Both headers, one protocol, and not HTTP or TLS: those would carry requests that nobody judged. */
  #judgeUpgrade(): boolean {
    if (this.isHttp10 || (this.#options & ConnectionOption.upgrade) === 0) return false;
    const lines = this.marked.filter((line) => line.kind === "upgrade");
    const line = lines[0];
    if (line === undefined || lines.length > 1) return false;
    const protocol = this.bytes.toString("latin1", line.valueFrom, line.valueTo);
    return (
      /^[!#$%&'*+.^_`|~0-9A-Za-z/-]+$/.test(protocol) && !/^(h[23]|h2c|(http|tls)(\/.*)?)$/i.test(protocol)
    );
  }

  #refuse(fault: Http1Fault): -1 {
    this.fault = fault;
    return -1;
  }
}

/** Whether a Transfer-Encoding is `chunked` and nothing else: no list, no parameter, no second coding. */
export function isChunked(bytes: Buffer, from: number, to: number): boolean {
  const start = trimStart(bytes, from, to);
  return trimEnd(bytes, start, to) - start === CHUNKED.length && isNamed(bytes, start, CHUNKED);
}

/** The methods that are nearly all there is, without making a string. */
function methodOf(bytes: Buffer, from: number, to: number): string {
  switch (to - from) {
    case 3:
      if (bytes[from] === 0x47 && bytes[from + 1] === 0x45 && bytes[from + 2] === 0x54) return "GET";
      break;
    case 4:
      if (
        bytes[from] === 0x50 &&
        bytes[from + 1] === 0x4f &&
        bytes[from + 2] === 0x53 &&
        bytes[from + 3] === 0x54
      )
        return "POST";
      break;
  }
  return bytes.toString("latin1", from, to);
}

function startLineFault(byte: number): Http1Fault {
  // `GET /` and the line's end: HTTP/0.9.
  if (byte === CR || byte === LF) return "bad_version";
  const fault = textFault(byte);
  return fault === "control_byte" && byte > SP && byte !== 0x7f ? "bad_target" : fault;
}
