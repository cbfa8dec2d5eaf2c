import { REASONS, type Reason, type ReasonCode, type Tell } from "../events/index.ts";
import type { Backend, Server } from "../model/index.ts";
import { createBalance, usableServers } from "./balance.ts";
import { Checks } from "./check.ts";
import { type Lookup, systemLookup } from "./resolve.ts";
import { PoolServer, type PoolSurroundings } from "./server.ts";
import type { ServerTrust } from "./trust.ts";
import { Watch } from "./watch.ts";

export interface PoolOptions {
  readonly backend: Backend;
  /**
   * What a server's certificate is judged by. Must give the same object until the trust really changes: a new one ends
   * the resumption of its TLS sessions.
   */
  readonly trustOf: (server: Server) => ServerTrust | undefined;
  readonly tell: Tell;
  /** Monotonic, ms; default: the process's. */
  readonly now?: () => number;
  /** ms since 1970. */
  readonly wallClock?: () => number;
  readonly lookup?: Lookup;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

export interface PickWant {
  readonly clientAddress: string;
  /** Servers that were tried already. */
  readonly avoid?: ReadonlySet<PoolServer>;
}

/** The servers of one backend. */
export interface Pool {
  readonly backend: Backend;
  readonly servers: readonly PoolServer[];
  /** Lanes bound to any of them. */
  readonly lanes: number;
  /** Begins to check servers, or to look at those without a check. */
  start(): void;
  /** Ends all that goes on by itself; lanes and dials are not touched. */
  stop(): void;
  /** The server for the next lane; undefined: none is up with a place left. */
  pick(want: PickWant): PoolServer | undefined;
  /** Why `pick` has none, for the client: the one reason for which all are down, where there is one. */
  readonly noServer: ReasonCode;
}

/** Between the first looks at servers without a check. */
const WATCH_SPREAD_MS = 20;

/** @throws Error when a server that needs TLS has no trust, a mistake of the caller */
export function createPool(options: PoolOptions): Pool {
  const { backend, random = Math.random } = options;
  const servers: PoolServer[] = [];
  const around: PoolSurroundings = {
    backend,
    trustOf: options.trustOf,
    tell: options.tell,
    lookup: options.lookup ?? systemLookup,
    now: options.now ?? (() => performance.now()),
    wallClock: options.wallClock ?? Date.now,
    random,
    left: () => ({
      active: servers.filter((server) => server.up && !server.server.backup).length,
      backup: servers.filter((server) => server.up && server.server.backup).length,
    }),
  };
  for (const described of backend.servers) {
    const server = new PoolServer(described, around);
    if (described.tls !== undefined) server.trust();
    if (!described.disabled) {
      server.attendant =
        described.check === undefined ? new Watch(server) : new Checks(server, described.check);
    }
    servers.push(server);
  }
  const choose = createBalance(backend.balance, random);
  return {
    backend,
    servers,
    get lanes() {
      return servers.reduce((sum, server) => sum + server.lanes, 0);
    },
    start() {
      // Checks that began together would for ever meet the servers, and the gate, all at once.
      servers.forEach((server, index) => {
        const { check } = server.server;
        const spreadMs =
          check === undefined ? WATCH_SPREAD_MS * index : (check.interMs * index) / servers.length;
        server.attendant?.start(spreadMs);
      });
    },
    stop() {
      for (const server of servers) server.attendant?.stop();
    },
    pick({ clientAddress, avoid }) {
      const usable = usableServers(servers, avoid);
      return usable.length === 0 ? undefined : choose(usable, clientAddress);
    },
    get noServer() {
      const reasons = new Set(
        servers.filter(({ server }) => !server.disabled).map((server) => server.downReason),
      );
      const [reason] = reasons;
      return reasons.size === 1 && reason !== undefined && isNoServer(reason) ? reason : "no_server";
    },
  };
}

/** A reason that a client can be told of in place of `no_server`: it ends a request in the same way. */
function isNoServer(code: ReasonCode): boolean {
  const { status, termination }: Reason = REASONS[code];
  const none: Reason = REASONS.no_server;
  return status === none.status && termination === none.termination;
}
