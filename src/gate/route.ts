import {
  type Backend,
  type Bind,
  type Configuration,
  type Frontend,
  matchesRoute,
  normalServerName,
  type Route,
} from "../model/index.ts";

/** Where a client goes, and whether the gate ends its TLS. */
export interface Destination {
  readonly backend: Backend;
  readonly tls: "terminate" | "passthrough";
  /** A rule leads there, not the default: the client knows a name of this gate. */
  readonly byRule: boolean;
}

/** @returns undefined when no rule matches and the frontend has no default: the client is refused. */
export type Router = (serverName: string | undefined) => Destination | undefined;

/**
 * Prepares the rules of a frontend for one bind. The first route in the order written wins, as HAProxy's `use_backend`
 * (manual §4.2); a run of exact names costs one look-up however long it is.
 */
export function createRouter(frontend: Frontend, bind: Bind, backends: Configuration["backends"]): Router {
  const untouched = frontend.mode === "tcp" && bind.tls === undefined ? "passthrough" : "terminate";
  const steps = compile(frontend.routes);
  const otherwise = frontend.defaultBackend;
  return (serverName) => {
    const name = serverName === undefined ? undefined : normalServerName(serverName);
    for (const step of steps) {
      const route = step.find(name);
      if (route !== undefined) return destination(backends, route.backend, route.tls, true);
    }
    return otherwise === undefined ? undefined : destination(backends, otherwise, untouched, false);
  };
}

interface Step {
  find(name: string | undefined): Route | undefined;
}

/** Neighbouring rules that only name exact names share one map; their order cannot matter beyond the first of a name. */
function compile(routes: readonly Route[]): readonly Step[] {
  const steps: Step[] = [];
  let exact: Map<string, Route> | undefined;
  for (const route of routes) {
    if (!route.negate && route.except === undefined && route.names.every((name) => name.kind === "exact")) {
      if (exact === undefined) {
        const names = new Map<string, Route>();
        exact = names;
        steps.push({ find: (name) => (name === undefined ? undefined : names.get(name)) });
      }
      for (const name of route.names)
        if (name.kind === "exact" && !exact.has(name.value)) exact.set(name.value, route);
      continue;
    }
    exact = undefined;
    steps.push({ find: (name) => (matchesRoute(route, name) ? route : undefined) });
  }
  return steps;
}

function destination(
  backends: Configuration["backends"],
  name: string,
  tls: Destination["tls"],
  byRule: boolean,
): Destination {
  const backend = backends.get(name);
  if (backend === undefined) throw new Error(`backend ${name} was not settled`);
  return { backend, tls, byRule };
}
