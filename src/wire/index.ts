/**
 * wire/: codecs. Bytes in, events out: client-hello.ts (what a TLS client asks for), http1/ (strict HTTP/1 heads and
 * framing), http2/ (frames and HPACK). testing.ts cuts a test's bytes at every offset.
 * Knows no socket, no clock, no configuration.
 */
export * from "./client-hello.ts";
