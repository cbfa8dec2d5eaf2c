/**
 * observe/: readers of what happened. logging.ts takes the gate's events and writes the access log and the diary of
 * the servers: haproxy-lines.ts and json-lines.ts make the lines, syslog.ts what stands before them, stream-sink.ts
 * and datagram-sink.ts bring them away without ever holding up the gate.
 * Start at logging.ts. Knows nothing of lanes, sockets of clients, files; stdout and stderr are given to it.
 */
export { createLogging, type Logging, type LoggingOptions } from "./logging.ts";
export type { LogStream } from "./stream-sink.ts";
