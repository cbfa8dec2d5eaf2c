/**
 * wire/http2/: frames and header blocks of HTTP/2 (RFC 9113, RFC 7541). Bytes in, events out.
 * Start at scanner.ts (a direction cut into frames), then hpack/decode.ts (a header block cut into fields).
 * frames.ts writes the few frames a gate says by itself; hpack/encode.ts the few header blocks, in literals.
 * Knows no socket, no clock, no stream's state: who may send what, and when, is judged in gate/http2.
 */
export * from "./errors.ts";
export * from "./frames.ts";
export { type FieldSink, HpackDecoder } from "./hpack/decode.ts";
export { type BlockParts, headerFrames, literal } from "./hpack/encode.ts";
export { HeaderField, TABLE_BYTES_DEFAULT } from "./hpack/table.ts";
export * from "./scanner.ts";
