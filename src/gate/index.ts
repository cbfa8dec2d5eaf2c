/**
 * gate/: carries bytes between one client and one API server for the life of a lane.
 * Start at gate.ts (listens), then lane.ts (the life, in order) and open.ts (its first half: ClientHello, route, dial,
 * TLS), waiting.ts and parting.ts (a leg before and after its relay). http1/, http2/ and tunnel.ts relay; relay.ts is
 * what a lane and its relay owe each other; answer.ts what the gate says by itself.
 * Knows nothing of files, formats, loggers.
 */
export { BindError, type BoundAddress, type Gate, type GateOptions, openGate } from "./gate.ts";
