import type { HeaderLines, User } from "./auth.ts";
import type { UpgradeKinds } from "./streams/upgrade.ts";

export interface SandboxOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** PEM; the certificate may carry its chain. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** PEM of the CA that signed `tls.cert`, as ConfigMaps tell it; default: the certificate itself. */
  readonly ca?: string;
  /** PEM; clients may show a certificate signed by it: CN is the user, every O a group. */
  readonly clientCa?: string;
  /** Bearer token → user. Group `system:masters` may do everything, `sandbox:viewers` read. */
  readonly tokens?: Readonly<Record<string, User>>;
  /** What ALPN offers; default both. Without ALPN a client speaks HTTP/1.1. */
  readonly alpn?: readonly ("h2" | "http/1.1")[];
  /** Default both; without `websocket` clients fall back to SPDY. */
  readonly upgrades?: Partial<UpgradeKinds>;
  /** Folder for the pods' files; default: one in the system's temporary folder, removed at the end. */
  readonly root?: string;
  /** How often a pod logs a line; default 1000, 0: only by `appendLog`. */
  readonly logIntervalMs?: number;
  /** From a pod's creation to Running, and from its deletion to gone; default 100 each. */
  readonly podStartMs?: number;
  readonly podStopMs?: number;
  /** Between bookmarks of a watch; default 60 s. */
  readonly bookmarkMs?: number;
}

/** A request's head as the sandbox saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly httpVersion: string;
  readonly headers: HeaderLines;
  /** The TLS server name of its connection; "" when there was none. */
  readonly serverName: string;
}
