import type {
  Backend,
  BackendTimeouts,
  BindTls,
  CertificateFile,
  CheckMethod,
  FileReference,
  FrontendLog,
  FrontendTimeouts,
  ListenAddress,
  LogTarget,
  Mode,
  Route,
  ServerNameSource,
  TlsVersion,
} from "./configuration.ts";
import type { Located, Position } from "./position.ts";
import type { ServerNamePattern } from "./server-name.ts";

/**
 * What a text says, before anybody asked whether it holds together. Any format makes one; `settle` turns it into a
 * Configuration. What was not written is left out (settle knows the defaults), and every value knows where it stood.
 */
export interface Draft {
  /** The reader understood all of it. A draft that is not complete is checked, but never becomes a Configuration. */
  readonly complete: boolean;
  readonly mends: Mends;
  readonly global: DraftGlobal;
  readonly frontends: readonly DraftFrontend[];
  readonly backends: readonly DraftBackend[];
}

export interface DraftGlobal {
  readonly logTag?: Located<string>;
  readonly connectionsMax?: Located<number>;
  readonly debug?: Located<boolean>;
  readonly hardStopAfterMs?: Located<number>;
}

export interface DraftFrontend {
  readonly name: Located<string>;
  /** False where a part of it could not be read: then nobody complains about what is missing. */
  readonly complete: boolean;
  readonly mode: Located<Mode>;
  readonly binds: readonly DraftBind[];
  readonly routes: readonly DraftRoute[];
  readonly defaultBackend?: Located<string>;
  readonly timeouts: DraftTimeouts<FrontendTimeouts>;
  readonly log: DraftLog;
  readonly forwardFor?: Located<boolean>;
  readonly headBytesMax?: Located<number>;
  readonly connectionsMax?: Located<number>;
}

export type DraftTimeouts<T> = { readonly [Name in keyof T]?: Located<number> };

export interface DraftLog {
  readonly targets: readonly Located<LogTarget>[];
  readonly format?: Located<FrontendLog["format"]>;
  readonly dontLogNull?: Located<boolean>;
}

export interface DraftRoute {
  readonly at: Position;
  readonly names: readonly Located<ServerNamePattern>[];
  readonly except: readonly Located<ServerNamePattern>[];
  readonly negate: boolean;
  readonly backend: Located<string>;
  readonly tls: Route["tls"];
}

export interface DraftBind {
  readonly at: Position;
  readonly written: string;
  readonly complete: boolean;
  readonly name?: Located<string>;
  readonly address: ListenAddress;
  readonly tls?: DraftBindTls;
  readonly inspectDelayMs?: Located<number>;
  readonly connectionsMax?: Located<number>;
  readonly backlog?: Located<number>;
}

export interface DraftBindTls {
  /** Where the text asks for TLS. */
  readonly at: Position;
  readonly certificates: readonly CertificateFile[];
  readonly strictSni?: Located<boolean>;
  readonly alpn?: Located<readonly string[]>;
  readonly minVersion?: Located<TlsVersion>;
  readonly maxVersion?: Located<TlsVersion>;
  readonly ciphers?: Located<string>;
  readonly cipherSuites?: Located<string>;
  readonly curves?: Located<string>;
  readonly clientAuth?: Located<BindTls["clientAuth"]>;
  readonly clientCa?: FileReference;
  readonly tickets?: Located<boolean>;
}

export interface DraftBackend {
  readonly name: Located<string>;
  readonly complete: boolean;
  readonly mode: Located<Mode>;
  readonly balance?: Located<Backend["balance"]>;
  readonly servers: readonly DraftServer[];
  readonly timeouts: DraftTimeouts<BackendTimeouts>;
  readonly check?: Located<CheckMethod>;
  readonly retries?: Located<number>;
  readonly kubernetes?: Located<boolean>;
  readonly forwardFor?: Located<boolean>;
}

export interface DraftServer {
  readonly name: Located<string>;
  readonly complete: boolean;
  readonly host: Located<string>;
  readonly port: Located<number>;
  readonly weight?: Located<number>;
  readonly backup?: Located<boolean>;
  readonly disabled?: Located<boolean>;
  readonly connectionsMax?: Located<number>;
  readonly tls?: DraftServerTls;
  readonly check?: DraftCheck;
}

export interface DraftServerTls {
  readonly at: Position;
  readonly verify?: Located<"none" | "required">;
  /** `system`: the trust store of the machine. */
  readonly ca?: Located<{ readonly kind: "file"; readonly path: string } | { readonly kind: "system" }>;
  readonly sni?: Located<ServerNameSource>;
  readonly verifyHost?: Located<string>;
  readonly alpn?: Located<readonly string[]>;
  readonly minVersion?: Located<TlsVersion>;
  readonly maxVersion?: Located<TlsVersion>;
  readonly ciphers?: Located<string>;
  readonly cipherSuites?: Located<string>;
  readonly certificate?: CertificateFile;
}

export interface DraftCheck {
  readonly interMs?: Located<number>;
  readonly fastInterMs?: Located<number>;
  readonly downInterMs?: Located<number>;
  readonly rise?: Located<number>;
  readonly fall?: Located<number>;
  readonly port?: Located<number>;
  readonly host?: Located<string>;
  /** Undefined: as the server. */
  readonly tls?: Located<boolean>;
  readonly sni?: Located<string>;
}

/**
 * What to write instead, in the words of the format: settle finds a fault once for all formats, and a hint must be a
 * line that a person can paste.
 */
export interface Mends {
  readonly certificateMissing: string;
  readonly clientCaMissing: string;
  readonly clientCaUnused: string;
  readonly serverCaMissing: string;
  readonly serverUnverified: (name: string) => string;
  readonly serverNameUnverified: (name: string) => string;
  readonly unknownNamesServed: (endsTls: boolean) => string;
  readonly leadsNowhere: string;
  readonly noBind: string;
  readonly noServers: string;
  readonly plainBind: string;
  readonly plainServer: string;
  readonly nameNeedsTls: string;
  readonly tlsTwice: string;
  readonly modesDiffer: string;
  readonly timeoutMissing: (names: readonly ("client" | "connect" | "server")[]) => string;
}
