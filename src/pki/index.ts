/**
 * pki/: keys, certificates, chains, trust. The one room that opens files below `serve`, and the one that touches
 * private keys: they leave it only inside a SecureContext, or as PEM for a file when they were just made.
 * Start at materials.ts (all that a Configuration names, read and judged once); bundle.ts and authorities.ts read what
 * one word of it names, judge.ts says what the other side will dislike, issue.ts makes certificates.
 * Knows nothing of lanes, sockets, file formats of configurations.
 */
export * from "./authorities.ts";
export * from "./bundle.ts";
export * from "./certificate.ts";
export * from "./choose.ts";
export * from "./context.ts";
export * from "./error.ts";
export { listFolder, readText, type WriteOptions, writePublicFile, writeSecretFile } from "./files.ts";
export type { Finding } from "./finding.ts";
export * from "./hosts.ts";
export * from "./inspect.ts";
export * from "./issue.ts";
export * from "./judge.ts";
export * from "./kubectl.ts";
export * from "./materials.ts";
