/**
 * http1/: reads HTTP/1 messages out of a stream of bytes, strictly (RFC 9110, RFC 9112).
 * Start at message.ts (feed chunks, ask for what comes next); request.ts and response.ts know the two kinds of head,
 * body.ts where a body ends, faults.ts what is refused and why.
 * It finds boundaries and the few fields that move them; it never rewrites, joins or copies a body.
 * Knows nothing of sockets, clocks, policy.
 */
export * from "./faults.ts";
export type { Http1Event } from "./message.ts";
export * from "./request.ts";
export * from "./response.ts";
