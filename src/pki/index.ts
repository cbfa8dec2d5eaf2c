/**
 * pki/: keys, certificates, chains, trust. The one room that opens files below `serve`, and the one that touches
 * private keys: they leave it only inside a SecureContext, or as PEM for a file when they were just made.
 * Start at materials.ts (all that a Configuration names, read and judged once). issue.ts makes certificates.
 * Knows nothing of lanes, sockets, file formats of configurations.
 */
export * from "./error.ts";
export * from "./hosts.ts";
export * from "./issue.ts";
