import type { Position } from "./position.ts";
import type { ServerNamePattern } from "./server-name.ts";

/**
 * What is wanted, settled: every reference resolves, every default is filled in. Times are milliseconds, sizes bytes;
 * a time that is undefined never ends. Each part still knows where it was written, for what is said later about it.
 */
export interface Configuration {
  readonly global: Global;
  readonly frontends: readonly Frontend[];
  readonly backends: ReadonlyMap<string, Backend>;
}

export interface Global {
  /** The tag of syslog lines; HAProxy's is `haproxy`. */
  readonly logTag: string;
  /** Client connections in all; undefined: no limit of our own. */
  readonly connectionsMax?: number;
  /** Whether every request's head is told as it passes (HAProxy ≤ 2.2 `debug`); secrets never are. */
  readonly debug: boolean;
  /** How long lanes may go on once the process was asked to stop; undefined: `run` decides (HAProxy `hard-stop-after`). */
  readonly hardStopAfterMs?: number;
}

export type Mode = "http" | "tcp";

/** HAProxy manual §4.1 `frontend`. */
export interface Frontend {
  readonly name: string;
  readonly at: Position;
  readonly mode: Mode;
  readonly binds: readonly Bind[];
  /** Tried in order; the first that matches the client's server name wins (`matchesRoute`). */
  readonly routes: readonly Route[];
  /** Where a client goes whom no route matches; undefined: it is refused. */
  readonly defaultBackend?: string;
  readonly timeouts: FrontendTimeouts;
  readonly log: FrontendLog;
  /** Whether X-Forwarded-For is set to the client's address (a client's own is always removed). */
  readonly forwardFor: boolean;
  /** Bytes of a request head at the most; beyond: 431. */
  readonly headBytesMax: number;
  readonly connectionsMax?: number;
}

export interface FrontendTimeouts {
  /** Idleness of the client while it is its turn. */
  readonly clientMs?: number;
  /** The whole request head, from its first byte (from accept for the first request). */
  readonly httpRequestMs?: number;
  /** Between an answer and the next request. */
  readonly httpKeepAliveMs?: number;
  /** Once the client has sent FIN; default 10 s in an upgraded stream, see `lane`. */
  readonly clientFinMs?: number;
  /** TLS handshake, from accept. */
  readonly handshakeMs?: number;
}

/** One rule that leads a server name to a backend. */
export interface Route {
  readonly at: Position;
  /** One of them must match. */
  readonly names: readonly ServerNamePattern[];
  /** Names that one of `names` matches and that this rule leaves out all the same (`if a !b`). */
  readonly except?: readonly ServerNamePattern[];
  /** Inverts the match (`unless`, `!acl`). */
  readonly negate: boolean;
  readonly backend: string;
  /** `passthrough`: the TLS bytes go on untouched, the gate never sees inside. */
  readonly tls: "terminate" | "passthrough";
}

/** HAProxy manual §5.1. */
export interface Bind {
  readonly at: Position;
  /** As the person wrote it, for messages: `:6443`. */
  readonly written: string;
  readonly name?: string;
  readonly address: ListenAddress;
  readonly tls?: BindTls;
  /** `sni`: the ClientHello is read to pick a route, then the bytes go on (mode tcp with `req.ssl_sni`). */
  readonly inspect: "none" | "sni";
  readonly inspectDelayMs?: number;
  readonly connectionsMax?: number;
  readonly backlog?: number;
}

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly v6only?: boolean }
  | { readonly kind: "unix"; readonly path: string };

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

export interface BindTls {
  /** PEM bundles in the order written; the first one loaded is the default for no or unknown server name. */
  readonly certificates: readonly CertificateFile[];
  readonly strictSni: boolean;
  /** Protocols offered to the client, best first; empty: no ALPN is answered. */
  readonly alpn: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL cipher list for TLS ≤ 1.2 and suites for 1.3, colon-separated; undefined: today's defaults. */
  readonly ciphers?: string;
  readonly cipherSuites?: string;
  readonly curves?: string;
  readonly clientAuth: "none" | "optional" | "required";
  readonly clientCa?: FileReference;
  readonly tickets: boolean;
}

export interface FileReference {
  readonly path: string;
  readonly at: Position;
}

export interface CertificateFile extends FileReference {
  /** A key in a file of its own; undefined: inside the bundle or beside it as `PATH.key`. */
  readonly keyPath?: string;
}

/** HAProxy manual §4.1 `backend`. */
export interface Backend {
  readonly name: string;
  readonly at: Position;
  readonly mode: Mode;
  readonly balance: "leastconn" | "roundrobin" | "first" | "source" | "random";
  readonly servers: readonly Server[];
  readonly timeouts: BackendTimeouts;
  readonly check: CheckMethod;
  readonly retries: number;
  /** Local answers are Kubernetes `Status` objects. */
  readonly kubernetes: boolean;
  readonly forwardFor: boolean;
}

export interface BackendTimeouts {
  /** TCP and TLS to the server, each try. */
  readonly connectMs?: number;
  /** Idleness of the server while it is its turn. */
  readonly serverMs?: number;
  readonly serverFinMs?: number;
  readonly queueMs?: number;
  /** After an upgrade, or in mode tcp; replaces client and server idleness. */
  readonly tunnelMs?: number;
  readonly checkMs?: number;
}

/** HAProxy manual §5.2. */
export interface Server {
  readonly name: string;
  readonly at: Position;
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
  readonly disabled: boolean;
  readonly connectionsMax?: number;
  readonly tls?: ServerTls;
  readonly check?: Check;
}

export interface ServerTls {
  readonly verify: "none" | "required";
  /** `system`: the trust store of the machine (`@system-ca`). */
  readonly ca?: FileReference | "system";
  /** Sent as server name, and verified unless verifyHost is given; undefined: none is sent. */
  readonly sni?: ServerNameSource;
  /** The name its certificate must carry. */
  readonly verifyHost?: string;
  /** Protocols the gate may offer to it, best first. */
  readonly alpn: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  readonly ciphers?: string;
  readonly cipherSuites?: string;
  /** A client certificate of the gate's own (`crt`). */
  readonly certificate?: CertificateFile;
}

/** `str(NAME)`, or the client's own server name (`ssl_fc_sni`, `req.ssl_sni`). */
export type ServerNameSource =
  | { readonly kind: "fixed"; readonly name: string }
  | { readonly kind: "client" };

export interface Check {
  readonly interMs: number;
  readonly fastInterMs?: number;
  readonly downInterMs?: number;
  readonly rise: number;
  readonly fall: number;
  readonly port?: number;
  readonly host?: string;
  readonly tls: boolean;
  readonly sni?: string;
}

export type CheckMethod =
  /** TCP, and the TLS handshake where the server has `ssl`. */
  | { readonly kind: "connect" }
  | {
      readonly kind: "http";
      readonly method: string;
      readonly path: string;
      readonly version: "HTTP/1.0" | "HTTP/1.1";
      readonly headers: readonly (readonly [name: string, value: string])[];
      /** Statuses that pass, as ranges; empty: 200–399, and 401 and 403 count as alive with a note. */
      readonly expect: readonly (readonly [from: number, to: number])[];
    };

export interface FrontendLog {
  readonly targets: readonly LogTarget[];
  readonly format: "httplog" | "tcplog" | "json" | "default";
  /** No line for a client that sent nothing. */
  readonly dontLogNull: boolean;
}

export type LogTarget =
  | {
      readonly kind: "stdout" | "stderr";
      readonly framing: "raw" | "syslog";
      readonly facility: string;
      readonly level: LogLevel;
    }
  | {
      readonly kind: "udp";
      readonly host: string;
      readonly port: number;
      readonly facility: string;
      readonly level: LogLevel;
      readonly lengthMax: number;
    };

export type LogLevel = "emerg" | "alert" | "crit" | "err" | "warning" | "notice" | "info" | "debug";
