/**
 * upstream/: the servers of a backend. Which one takes the next lane, whether it is alive, where its name leads, and how
 * a verified connection to it is opened.
 * Start at pool.ts, then dial.ts (a lane's way to a server) and reach.ts (resolve, connect, shake hands, verify).
 * verify.ts judges certificates; check.ts and watch.ts look after servers; health.ts counts rise and fall.
 * Knows nothing of clients, requests, files.
 */
export * from "./dial.ts";
export type { DialFailure } from "./failure.ts";
export * from "./pool.ts";
export type { Lookup } from "./resolve.ts";
export type { PoolServer } from "./server.ts";
export type { ServerTrust } from "./trust.ts";
export { judgeServer, type PeerFacts, type Trusted, type Untrusted, type VerifyPolicy } from "./verify.ts";
