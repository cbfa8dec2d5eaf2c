import type { SecureContext } from "node:tls";
import type { ReasonCode, Tell } from "../events/index.ts";
import type { Backend, Bind, Configuration, Frontend } from "../model/index.ts";
import type { Guard } from "../policy/index.ts";
import { type Listener, listen, type NodeConnection } from "../socket/index.ts";
import type { Pool } from "../upstream/index.ts";
import { type Surroundings, serveLane } from "./lane.ts";
import type { Entrance } from "./open.ts";
import { createRouter } from "./route.ts";

export interface GateOptions {
  readonly configuration: Configuration;
  /** One a backend, by its name; started and stopped by the caller. */
  readonly pools: ReadonlyMap<string, Pool>;
  readonly tell: Tell;
  /** The certificate a bind shows for a server name; undefined: none, and strict-sni is set. */
  contextFor(bind: Bind, serverName: string | undefined): SecureContext | undefined;
  guardsFor(frontend: Frontend, backend: Backend): readonly Guard[];
}

export interface Gate {
  /** Where it listens, in the order of the binds. */
  readonly addresses: readonly BoundAddress[];
  readonly openLanes: number;
  readonly openRequests: number;
  /** No new connections; clients are asked to leave. Resolves when the last lane is over. */
  drain(): Promise<void>;
  /** No new connections, and every lane ends now. */
  close(reason: ReasonCode): void;
}

export interface BoundAddress {
  readonly frontend: string;
  /** As the person wrote it. */
  readonly written: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** A bind whose address cannot be had: in use, not allowed, not of this machine. */
export class BindError extends Error {
  readonly bind: Bind;
  readonly code: string;

  constructor(bind: Bind, cause: NodeJS.ErrnoException) {
    super(`cannot listen on ${bind.written}: ${bindWords(cause)}`, { cause });
    this.bind = bind;
    this.code = cause.code ?? "EUNKNOWN";
  }
}

function bindWords(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case "EADDRINUSE":
      return "the port is in use by another process";
    case "EACCES":
      return "not allowed (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    default:
      return cause.message;
  }
}

/**
 * Listens on every bind and serves lanes.
 * @throws BindError when an address cannot be had; nothing is left listening then
 */
export async function openGate(options: GateOptions): Promise<Gate> {
  const around: Surroundings & { idle: (() => void) | undefined } = {
    pools: options.pools,
    tell: options.tell,
    debug: options.configuration.global.debug,
    lanes: new Set(),
    draining: false,
    nextLaneId: 1,
    idle: undefined,
    laneClosed() {
      if (this.lanes.size === 0) this.idle?.();
    },
  };
  const listeners: Listener[] = [];
  const addresses: BoundAddress[] = [];
  for (const frontend of options.configuration.frontends) {
    const open = { count: 0 };
    for (const [index, bind] of frontend.binds.entries()) {
      const entrance = createEntrance(options, frontend, bind, index, open);
      try {
        const listener = await listenOn(entrance, around, options);
        listeners.push(listener);
        const host = bind.address.kind === "tcp" ? bind.address.host : bind.address.path;
        addresses.push({
          frontend: frontend.name,
          written: bind.written,
          host,
          port: listener.port,
          tls: bind.tls !== undefined,
        });
      } catch (error) {
        for (const listener of listeners) listener.close();
        for (const lane of [...around.lanes]) lane.destroy();
        throw new BindError(bind, error as NodeJS.ErrnoException);
      }
    }
  }
  const stopListening = () => {
    for (const listener of listeners) listener.close();
  };
  return {
    addresses,
    get openLanes() {
      return around.lanes.size;
    },
    get openRequests() {
      let open = 0;
      for (const lane of around.lanes) open += lane.openRequests;
      return open;
    },
    drain() {
      stopListening();
      around.draining = true;
      for (const lane of [...around.lanes]) lane.drain();
      return new Promise((resolve) => {
        around.idle = resolve;
        if (around.lanes.size === 0) resolve();
      });
    },
    close(reason) {
      stopListening();
      for (const lane of [...around.lanes]) lane.abort(reason);
    },
  };
}

function createEntrance(
  options: GateOptions,
  frontend: Frontend,
  bind: Bind,
  index: number,
  open: { count: number },
): Entrance {
  const guards = new Map<Backend, readonly Guard[]>();
  return {
    frontend,
    bind,
    bindLabel: bind.name ?? String(index + 1),
    route: createRouter(frontend, bind, options.configuration.backends),
    contextFor: (serverName) => options.contextFor(bind, serverName),
    guardsFor(backend) {
      let prepared = guards.get(backend);
      if (prepared === undefined) {
        prepared = options.guardsFor(frontend, backend);
        guards.set(backend, prepared);
      }
      return prepared;
    },
    open,
  };
}

function listenOn(entrance: Entrance, around: Surroundings, options: GateOptions): Promise<Listener> {
  const { bind, frontend } = entrance;
  const { address } = bind;
  return listen({
    address:
      address.kind === "unix"
        ? { path: address.path }
        : {
            host: address.host,
            port: address.port,
            ...(address.v6only !== undefined && { v6only: address.v6only }),
          },
    ...(bind.backlog !== undefined && { backlog: bind.backlog }),
    onAccept: (raw) => admit(raw, entrance, around, options.configuration),
    onError: (error) =>
      options.tell({
        kind: "notice",
        level: "alert",
        text: `frontend ${frontend.name}: cannot accept on ${bind.written}: ${error.message}`,
      }),
  });
}

function admit(
  raw: NodeConnection,
  entrance: Entrance,
  around: Surroundings,
  configuration: Configuration,
): void {
  const inAll = configuration.global.connectionsMax ?? Number.POSITIVE_INFINITY;
  const here = entrance.frontend.connectionsMax ?? Number.POSITIVE_INFINITY;
  if (around.lanes.size >= inAll || entrance.open.count >= here) {
    raw.destroy();
    return;
  }
  void serveLane(raw, entrance, around);
}
