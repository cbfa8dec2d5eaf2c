/**
 * What is wrong with a message: code → sentence. Each is refused, because two programs on the path that read it
 * differently are how requests are smuggled (RFC 9112 §11).
 */
export const FAULTS = {
  // The request line, RFC 9112 §3.
  bad_method: "the request line does not begin with a method",
  bad_target: "the request target is not a path",
  absolute_target: "the request target is a whole URL; send a path and a Host header",
  bad_version: "the version is neither HTTP/1.0 nor HTTP/1.1",
  http2_preface: "an HTTP/2 preface on a connection that was agreed to speak HTTP/1.1",
  connect: "CONNECT",
  // The status line, RFC 9112 §4.
  bad_status_line: "the status line is not valid",
  // Lines and fields, RFC 9112 §2.2 and §5.
  bare_lf: "a line ends in LF without CR",
  bare_cr: "a CR without LF",
  control_byte: "a control byte in a header",
  folded_line: "a header line that begins with a space (obs-fold)",
  space_before_colon: "a space between a header's name and its colon",
  bad_name: "a header name that is empty or not a token",
  no_colon: "a header line without a colon",
  forbidden_name: "a header name that stands for an identity header once `_` is read as `-`",
  head_too_large: "the head is larger than allowed",
  too_many_fields: "more header lines than allowed",
  // Host, RFC 9112 §3.2.
  no_host: "no Host header",
  two_hosts: "more than one Host header",
  bad_host: "the Host header is not a host name",
  // Framing, RFC 9112 §6.
  bad_length: "Content-Length is not one number",
  two_lengths: "more than one Content-Length",
  length_and_chunked: "Content-Length together with Transfer-Encoding",
  bad_transfer_encoding: "Transfer-Encoding is not exactly `chunked`",
  transfer_encoding_http10: "Transfer-Encoding in HTTP/1.0",
  bad_chunk_size: "a chunk size that is not a hexadecimal number up to 2^53-1",
  chunk_extension: "a chunk extension",
  bad_chunk_end: "a chunk that is longer or shorter than its size",
  bad_trailer: "a trailer line that is not valid",
  // Of this gate.
  two_authorizations: "more than one Authorization header",
  upgrade_with_body: "an Upgrade in a request that has a body",
  upgrade_not_asked: "101 for a request that asked for no upgrade",
} as const satisfies Record<string, string>;

export type Http1Fault = keyof typeof FAULTS;
