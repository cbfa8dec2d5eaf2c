import type {
  Backend,
  BackendTimeouts,
  DraftBind,
  DraftRoute,
  DraftServer,
  FrontendTimeouts,
  Located,
  LogTarget,
  Mode,
  Position,
} from "../../model/index.ts";
import type { Expression } from "./acl.ts";
import type { CheckSettings } from "./check.ts";
import type { ServerParams } from "./server-params.ts";

/** Times as written, by the names of the model. */
export type Timeouts = { -readonly [Name in keyof (FrontendTimeouts & BackendTimeouts)]?: Located<number> };

/** `D`efaults, `F`rontend, `L`isten, `B`ackend. */
export type Place = "D" | "F" | "L" | "B";

/** What a `defaults` section hands on to the proxies below it (manual §4). */
export interface ProxySettings {
  mode?: Located<Mode>;
  logs: readonly (Located<LogTarget> | "global")[];
  logFormat?: Located<"httplog" | "tcplog">;
  dontLogNull?: Located<boolean>;
  forwardFor?: Located<boolean>;
  timeouts: Timeouts;
  balance?: Located<Backend["balance"]>;
  retries?: Located<number>;
  connectionsMax?: Located<number>;
  backlog?: Located<number>;
  defaultBackend?: Located<string>;
  server: ServerParams;
  check: CheckSettings;
  errorFile?: Position;
  /** Some line could not be read: nobody complains about what is missing. */
  incomplete?: boolean;
}

/** A proxy, or a `defaults` section, as far as it could be read. */
export interface ReadProxy {
  readonly place: Place;
  readonly name: Located<string>;
  complete: boolean;
  readonly settings: ProxySettings;
  readonly binds: DraftBind[];
  readonly acls: Map<string, Expression[]>;
  readonly routes: DraftRoute[];
  /** A `use_backend` that always holds: nothing behind it is ever asked. */
  otherwise?: Located<string>;
  readonly servers: DraftServer[];
  inspectDelayMs?: Located<number>;
  /** Whether connections are let in once their ClientHello is there. */
  waitsForHello: boolean;
}

export function noSettings(): ProxySettings {
  return { logs: [], timeouts: {}, server: {}, check: {} };
}
