/**
 * socket/: the one small adapter between the gate and the runtime's sockets. connection.ts is the interface everybody
 * else uses; node.ts implements it on `node:net` and `node:tls`: listen, lay TLS over an accepted socket whose
 * ClientHello was read, dial TCP or TLS.
 * Knows nothing of HTTP, routes or lanes.
 */
export * from "./connection.ts";
export * from "./node.ts";
