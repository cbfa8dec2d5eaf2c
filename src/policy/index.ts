/**
 * policy/: who may pass. guard.ts has the shape of a rule (an Ask in, a Verdict out) and `judge`, the only maker of the
 * Permit without which nothing is forwarded; authority.ts keeps a connection to its cluster, path.ts refuses paths with
 * two meanings, headers.ts names what a client may not say about itself.
 * Start at guard.ts. Knows nothing of bytes, lanes, answers.
 */
export * from "./authority.ts";
export * from "./guard.ts";
export * from "./headers.ts";
export * from "./path.ts";
