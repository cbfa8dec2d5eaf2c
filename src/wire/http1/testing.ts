import type { Http1Fault } from "./faults.ts";

/** One rule of reading requests: what we make of these bytes, and what HAProxy 2.6 answers to the same. */
export interface RequestRule {
  readonly rule: string;
  readonly bytes: string;
  /** Why we refuse; undefined: we do not. */
  readonly fault?: Http1Fault;
  /** HAProxy's status (200: it passed the request on); undefined: it closes without one. */
  readonly haproxy: number | undefined;
  /** Why the two differ, where they do. */
  readonly because?: string;
}

const HOST = "Host: a\r\n";
const get = (lines: string) => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;
const post = (lines: string, body: string) => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);
const line = (requestLine: string) => `${requestLine}\r\n${HOST}\r\n`;

export const REQUEST_RULES: readonly RequestRule[] = [
  // What passes.
  { rule: "reads a GET", bytes: get("Accept: */*\r\n"), haproxy: 200 },
  {
    rule: "reads an empty value and white space around one",
    bytes: get("A:\r\nB: \t b \t\r\n"),
    haproxy: 200,
  },
  { rule: "reads bytes above 0x7f in a value (obs-text)", bytes: get("A: \xe9\r\n"), haproxy: 200 },
  { rule: "reads HTTP/1.0 without Host", bytes: "GET / HTTP/1.0\r\n\r\n", haproxy: 200 },
  { rule: "reads OPTIONS *", bytes: line("OPTIONS * HTTP/1.1"), haproxy: 200 },
  { rule: "reads a body with a length", bytes: post("Content-Length: 5\r\n", "hello"), haproxy: 200 },
  { rule: "reads a length of zero", bytes: post("Content-Length: 0\r\n", ""), haproxy: 200 },
  {
    rule: "reads a body in chunks",
    bytes: chunked("5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"),
    haproxy: 200,
  },
  {
    rule: "reads `Chunked` in any case",
    bytes: post("transfer-encoding: Chunked\r\n", "0\r\n\r\n"),
    haproxy: 200,
  },
  {
    rule: "drops trailers, RFC 9110 §6.5.1",
    bytes: chunked("1\r\nx\r\n0\r\nX-Remote-User: root\r\n\r\n"),
    haproxy: 200,
  },

  // The request line.
  {
    rule: "refuses an empty line before a request",
    bytes: `\r\n${get("")}`,
    fault: "bad_method",
    haproxy: 200,
    because: "RFC 9112 §2.2 only asks to be lenient; nobody needs it",
  },
  {
    rule: "refuses a method that is not a token",
    bytes: line("G(T / HTTP/1.1"),
    fault: "bad_method",
    haproxy: 400,
  },
  { rule: "refuses a line without a method", bytes: line(" / HTTP/1.1"), fault: "bad_method", haproxy: 400 },
  {
    rule: "refuses two spaces before the target",
    bytes: line("GET  / HTTP/1.1"),
    fault: "bad_target",
    haproxy: 400,
  },
  {
    rule: "refuses two spaces before the version",
    bytes: line("GET /  HTTP/1.1"),
    fault: "bad_target",
    haproxy: 400,
  },
  { rule: "refuses a tab for a space", bytes: line("GET\t/ HTTP/1.1"), fault: "bad_method", haproxy: 400 },
  {
    rule: "refuses a space in the target",
    bytes: line("GET /a b HTTP/1.1"),
    fault: "bad_version",
    haproxy: 400,
  },
  {
    rule: "refuses a target that is no path",
    bytes: line("GET a HTTP/1.1"),
    fault: "bad_target",
    haproxy: 400,
  },
  { rule: "refuses `*` for GET", bytes: line("GET * HTTP/1.1"), fault: "bad_target", haproxy: 400 },
  { rule: "refuses a fragment", bytes: line("GET /a#b HTTP/1.1"), fault: "bad_target", haproxy: 400 },
  {
    rule: "refuses a backslash in the target",
    bytes: line("GET /a\\b HTTP/1.1"),
    fault: "bad_target",
    haproxy: 200,
    because: "some servers read it as a slash",
  },
  {
    rule: "refuses bytes above 0x7f in the target",
    bytes: line("GET /\xe9 HTTP/1.1"),
    fault: "bad_target",
    haproxy: 400,
  },
  {
    rule: "refuses a control byte in the target",
    bytes: line("GET /\x01 HTTP/1.1"),
    fault: "control_byte",
    haproxy: 400,
  },
  { rule: "refuses NUL in the target", bytes: line("GET /\0 HTTP/1.1"), fault: "control_byte", haproxy: 400 },
  {
    rule: "refuses a whole URL, same host",
    bytes: line("GET http://a/ HTTP/1.1"),
    fault: "absolute_target",
    haproxy: 200,
    because: "a gate is not a forward proxy",
  },
  {
    rule: "refuses a whole URL of another host",
    bytes: line("GET http://b/ HTTP/1.1"),
    fault: "absolute_target",
    haproxy: 200,
    because: "two authorities in one request",
  },
  {
    rule: "refuses CONNECT",
    bytes: line("CONNECT a:443 HTTP/1.1"),
    fault: "connect",
    haproxy: 200,
    because: "nothing behind an API gate is to be tunnelled to",
  },
  { rule: "refuses HTTP/0.9", bytes: "GET /\r\n\r\n", fault: "bad_version", haproxy: 400 },
  {
    rule: "refuses HTTP/1.2",
    bytes: line("GET / HTTP/1.2"),
    fault: "bad_version",
    haproxy: 200,
    because: "there is no such version",
  },
  { rule: "refuses HTTP/2.0", bytes: line("GET / HTTP/2.0"), fault: "bad_version", haproxy: 400 },
  { rule: "refuses http in lower case", bytes: line("GET / http/1.1"), fault: "bad_version", haproxy: 400 },
  {
    rule: "refuses a word behind the version",
    bytes: line("GET / HTTP/1.1 x"),
    fault: "bad_version",
    haproxy: 400,
  },
  {
    rule: "refuses the HTTP/2 preface",
    bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    fault: "http2_preface",
    haproxy: 400,
  },

  // Lines.
  {
    rule: "refuses a bare LF behind the request line, RFC 9112 §2.2",
    bytes: `GET / HTTP/1.1\n${HOST}\r\n`,
    fault: "bare_lf",
    haproxy: 200,
    because: "parsers disagree about it",
  },
  {
    rule: "refuses a bare LF behind a header line",
    bytes: `GET / HTTP/1.1\r\nHost: a\n\r\n`,
    fault: "bare_lf",
    haproxy: 200,
    because: "parsers disagree about it",
  },
  {
    rule: "refuses a bare LF for the empty line",
    bytes: `GET / HTTP/1.1\r\n${HOST}\n`,
    fault: "bare_lf",
    haproxy: 200,
    because: "parsers disagree about it",
  },
  { rule: "refuses a bare CR in a value", bytes: get("A: b\rC: d\r\n"), fault: "bare_cr", haproxy: 400 },
  {
    rule: "refuses a bare CR behind the version",
    bytes: "GET / HTTP/1.1\rHost: a\r\n\r\n",
    fault: "bare_cr",
    haproxy: 400,
  },
  { rule: "refuses NUL in a value", bytes: get("A: b\0\r\n"), fault: "control_byte", haproxy: 400 },
  {
    rule: "refuses a control byte in a value",
    bytes: get("A: b\x01\r\n"),
    fault: "control_byte",
    haproxy: 200,
    because: "RFC 9110 §5.5",
  },
  {
    rule: "refuses DEL in a value",
    bytes: get("A: b\x7f\r\n"),
    fault: "control_byte",
    haproxy: 200,
    because: "RFC 9110 §5.5",
  },
  {
    rule: "refuses a folded line, RFC 9112 §5.2",
    bytes: get("A: b\r\n c\r\n"),
    fault: "folded_line",
    haproxy: 200,
    because: "RFC 9112 §5.2 lets a proxy choose",
  },
  {
    rule: "refuses a space before the colon, RFC 9112 §5.1",
    bytes: get("A : b\r\n"),
    fault: "space_before_colon",
    haproxy: 400,
  },
  {
    rule: "refuses a tab before the colon",
    bytes: get("A\t: b\r\n"),
    fault: "space_before_colon",
    haproxy: 400,
  },
  {
    rule: "refuses a space before the first name",
    bytes: `GET / HTTP/1.1\r\n ${HOST}\r\n`,
    fault: "folded_line",
    haproxy: 400,
  },
  { rule: "refuses an empty name", bytes: get(": b\r\n"), fault: "bad_name", haproxy: 400 },
  { rule: "refuses a name that is not a token", bytes: get("A(b): c\r\n"), fault: "bad_name", haproxy: 400 },
  {
    rule: "refuses a name with bytes above 0x7f",
    bytes: get("\xe9: c\r\n"),
    fault: "bad_name",
    haproxy: 400,
  },
  { rule: "refuses a line without a colon", bytes: get("A\r\n"), fault: "no_colon", haproxy: 400 },

  // Host.
  {
    rule: "refuses HTTP/1.1 without Host, RFC 9112 §3.2",
    bytes: "GET / HTTP/1.1\r\n\r\n",
    fault: "no_host",
    haproxy: 200,
    because: "RFC 9112 §3.2",
  },
  { rule: "refuses two Hosts", bytes: get("Host: b\r\n"), fault: "two_hosts", haproxy: 400 },
  {
    rule: "refuses the same Host twice",
    bytes: get("host: a\r\n"),
    fault: "two_hosts",
    haproxy: 200,
    because: "RFC 9112 §3.2",
  },
  {
    rule: "refuses an empty Host",
    bytes: "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    fault: "bad_host",
    haproxy: 200,
    because: "an API always has a name",
  },
  {
    rule: "refuses a list in Host",
    bytes: "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    fault: "bad_host",
    haproxy: 200,
    because: "RFC 3986 §3.2.2",
  },
  {
    rule: "refuses user information in Host",
    bytes: "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    fault: "bad_host",
    haproxy: 200,
    because: "RFC 9110 §4.2.4",
  },
  {
    rule: "refuses a path in Host",
    bytes: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    fault: "bad_host",
    haproxy: 200,
    because: "RFC 3986 §3.2.2",
  },

  // Lengths.
  {
    rule: "refuses Content-Length with Transfer-Encoding, RFC 9112 §6.3",
    bytes: post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    fault: "length_and_chunked",
    haproxy: 200,
    because: "HAProxy drops the length and closes",
  },
  {
    rule: "refuses them in the other order",
    bytes: post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    fault: "length_and_chunked",
    haproxy: 200,
    because: "HAProxy drops the length and closes",
  },
  {
    rule: "refuses two lengths that differ, RFC 9112 §6.3",
    bytes: post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
    fault: "two_lengths",
    haproxy: 400,
  },
  {
    rule: "refuses the same length twice",
    bytes: post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    fault: "two_lengths",
    haproxy: 200,
    because: "RFC 9112 §6.3 lets a recipient choose",
  },
  {
    rule: "refuses a list of lengths",
    bytes: post("Content-Length: 5, 5\r\n", "hello"),
    fault: "bad_length",
    haproxy: 200,
    because: "RFC 9112 §6.3 lets a recipient choose",
  },
  {
    rule: "refuses an empty length",
    bytes: post("Content-Length:\r\n", ""),
    fault: "bad_length",
    haproxy: 400,
  },
  {
    rule: "refuses a signed length",
    bytes: post("Content-Length: +5\r\n", "hello"),
    fault: "bad_length",
    haproxy: 400,
  },
  {
    rule: "refuses a negative length",
    bytes: post("Content-Length: -1\r\n", ""),
    fault: "bad_length",
    haproxy: 400,
  },
  {
    rule: "refuses a hexadecimal length",
    bytes: post("Content-Length: 0x5\r\n", "hello"),
    fault: "bad_length",
    haproxy: 400,
  },
  {
    rule: "refuses a length with a space inside",
    bytes: post("Content-Length: 1 0\r\n", "0123456789"),
    fault: "bad_length",
    haproxy: 400,
  },
  {
    rule: "refuses a length above 2^53-1",
    bytes: post("Content-Length: 9007199254740992\r\n", ""),
    fault: "bad_length",
    haproxy: undefined,
    because: "HAProxy waits for that much",
  },
  {
    rule: "refuses a length above 2^64",
    bytes: post("Content-Length: 18446744073709551621\r\n", "hello"),
    fault: "bad_length",
    haproxy: 400,
  },

  // Transfer-Encoding.
  {
    rule: "refuses `identity`",
    bytes: post("Transfer-Encoding: identity\r\n", ""),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses `gzip, chunked`",
    bytes: post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 200,
    because: "no API server takes it",
  },
  {
    rule: "refuses `chunked, chunked`",
    bytes: post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses chunked twice on two lines",
    bytes: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses chunked and a second coding on its own line",
    bytes: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses `xchunked`",
    bytes: post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses chunked with a vertical tab",
    bytes: post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    fault: "control_byte",
    haproxy: 400,
  },
  {
    rule: "refuses chunked with a parameter",
    bytes: post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
    fault: "bad_transfer_encoding",
    haproxy: 400,
  },
  {
    rule: "refuses chunked in HTTP/1.0, RFC 9112 §6.1",
    bytes: "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    fault: "transfer_encoding_http10",
    haproxy: 200,
    because: "RFC 9112 §6.1 calls its framing faulty",
  },

  // Chunks.
  {
    rule: "refuses an empty chunk size",
    bytes: chunked("\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a chunk size that is not hexadecimal",
    bytes: chunked("g\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses 0x before a chunk size",
    bytes: chunked("0x5\r\nhello\r\n0\r\n\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a space before a chunk size",
    bytes: chunked(" 5\r\nhello\r\n0\r\n\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a space behind a chunk size",
    bytes: chunked("5 \r\nhello\r\n0\r\n\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a signed chunk size",
    bytes: chunked("+5\r\nhello\r\n0\r\n\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a chunk size above 2^53-1",
    bytes: chunked("20000000000000\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a chunk size of 17 digits",
    bytes: chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"),
    fault: "bad_chunk_size",
    haproxy: undefined,
  },
  {
    rule: "refuses a bare LF behind a chunk size",
    bytes: chunked("5\nhello\r\n0\r\n\r\n"),
    fault: "bare_lf",
    haproxy: undefined,
  },
  {
    rule: "refuses a bare CR behind a chunk size",
    bytes: chunked("5\rhello\r\n0\r\n\r\n"),
    fault: "bare_cr",
    haproxy: undefined,
  },
  {
    rule: "refuses a chunk longer than its size",
    bytes: chunked("5\r\nhello!\r\n0\r\n\r\n"),
    fault: "bad_chunk_end",
    haproxy: undefined,
  },
  {
    rule: "refuses a bare LF behind a chunk",
    bytes: chunked("5\r\nhello\n0\r\n\r\n"),
    fault: "bad_chunk_end",
    haproxy: undefined,
  },
  {
    rule: "refuses a chunk extension",
    bytes: chunked("5;a=b\r\nhello\r\n0\r\n\r\n"),
    fault: "chunk_extension",
    haproxy: 200,
    because: "no Kubernetes client sends one, and smuggling is built on them",
  },
  {
    rule: "refuses a bare LF inside a chunk extension",
    bytes: chunked("5;\nhello\r\n0\r\n\r\n"),
    fault: "chunk_extension",
    haproxy: undefined,
  },
  {
    rule: "refuses a bare LF for the last line",
    bytes: chunked("0\r\n\n"),
    fault: "bare_lf",
    haproxy: undefined,
  },
  {
    rule: "refuses a bare CR for the last line",
    bytes: chunked("0\r\n\rG"),
    fault: "bare_cr",
    haproxy: undefined,
  },
  {
    rule: "refuses a trailer without a colon",
    bytes: chunked("0\r\nabc\r\n\r\n"),
    fault: "bad_trailer",
    haproxy: undefined,
  },
  {
    rule: "refuses a trailer with a space before its colon",
    bytes: chunked("0\r\nA : b\r\n\r\n"),
    fault: "bad_trailer",
    haproxy: undefined,
  },

  // Of this gate.
  {
    rule: "refuses two Authorization lines",
    bytes: get("Authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
    fault: "two_authorizations",
    haproxy: 200,
    because: "which of the two counts would be the server's guess",
  },
  {
    rule: "refuses an Upgrade with a body",
    bytes: post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", "x"),
    fault: "upgrade_with_body",
    haproxy: 200,
    because: "where the tunnel begins would be a guess",
  },
  {
    rule: "refuses a head above the limit",
    bytes: get(`A: ${"x".repeat(2_000)}\r\n`),
    fault: "head_too_large",
    haproxy: 200,
    because: "the limit of this test is 2,000 bytes",
  },
  {
    rule: "refuses a request line above the limit",
    bytes: line(`GET /${"x".repeat(2_000)} HTTP/1.1`),
    fault: "head_too_large",
    haproxy: 200,
    because: "the limit of this test is 2,000 bytes",
  },
  {
    rule: "refuses a name above the limit",
    bytes: get(`${"x".repeat(1_999)}: a\r\n`),
    fault: "head_too_large",
    haproxy: 200,
    because: "the limit of this test is 2,000 bytes",
  },
  {
    rule: "refuses 129 header lines",
    bytes: get("A: b\r\n".repeat(128)),
    fault: "too_many_fields",
    haproxy: 400,
  },
];
