/**
 * wire/: codecs. Bytes in, events out: client-hello.ts (what a TLS client asks for), http1/ (strict HTTP/1 heads and
 * framing) and http2/ (frames and HPACK), which have an index of their own. testing.ts cuts bytes at every offset.
 * Knows no socket, no clock, no configuration.
 */
export * from "./client-hello.ts";
