/**
 * gate/http1/: the part of a lane that speaks HTTP/1: one request at a time from the client to the one server.
 * Start at relay.ts (phases, bytes of each leg, who left, what took too long); head-edits.ts says which header lines go
 * and which come, outgoing.ts joins pieces into one write, exchange.ts keeps the numbers of a request for its event,
 * local.ts writes an answer of the gate's own.
 * Knows nothing of sockets, TLS, routes, logs.
 */
export { createHttp1Relay } from "./relay.ts";
