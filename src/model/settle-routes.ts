import type { Backend, Route } from "./configuration.ts";
import type { Draft, DraftBackend, DraftFrontend, DraftRoute, Mends } from "./draft.ts";
import type { Located } from "./position.ts";
import type { Problems } from "./problems.ts";
import { matchesServerName, type ServerNamePattern } from "./server-name.ts";
import { didYouMean } from "./suggest.ts";

export function settleRoutes(
  frontend: DraftFrontend,
  backends: Draft["backends"],
  mends: Mends,
  problems: Problems,
): readonly Route[] {
  for (const route of frontend.routes) {
    checkLeadsTo(frontend, route.backend, route.tls, backends, mends, problems);
    checkReadable(frontend, route, mends, problems);
  }
  checkReached(frontend.routes, problems);
  checkUnknownNames(frontend, mends, problems);
  return frontend.routes.map(settleRoute);
}

function settleRoute(draft: DraftRoute): Route {
  return {
    at: draft.at,
    names: draft.names.map((name) => name.value),
    ...(draft.except.length > 0 && { except: draft.except.map((name) => name.value) }),
    negate: draft.negate,
    backend: draft.backend.value,
    tls: draft.tls,
  };
}

/** That a backend of this name is there and speaks what the frontend speaks; TLS that is passed on is mere bytes. */
export function checkLeadsTo(
  frontend: DraftFrontend,
  to: Located<string>,
  tls: Route["tls"],
  backends: readonly DraftBackend[],
  mends: Mends,
  problems: Problems,
): void {
  const backend = backends.find(({ name }) => name.value === to.value);
  if (backend === undefined) {
    const names = backends.map(({ name }) => name.value);
    const known =
      names.length === 0 ? "no backend is defined" : `defined here: ${names.slice(0, 8).join(", ")}`;
    problems.error(to.at, `there is no backend "${to.value}"`, didYouMean(to.value, names) ?? known);
    return;
  }
  const from: Backend["mode"] = tls === "passthrough" ? "tcp" : frontend.mode.value;
  if (tls === "passthrough") checkTlsOnce(backend, mends, problems);
  if (from === backend.mode.value) return;
  problems.error(
    to.at,
    tls === "passthrough"
      ? `TLS is passed on here, which backend "${backend.name.value}" in mode ${backend.mode.value} cannot read`
      : `frontend "${frontend.name.value}" is mode ${from}, its backend "${backend.name.value}" mode ${backend.mode.value}`,
    mends.modesDiffer,
  );
}

/** A server that is spoken to in TLS would get the client's TLS inside it. */
function checkTlsOnce(backend: DraftBackend, mends: Mends, problems: Problems): void {
  for (const { name, tls } of backend.servers) {
    if (tls === undefined) continue;
    const message = `the client's own TLS is passed on, so server "${name.value}" would get TLS within TLS`;
    problems.warning(tls.at, message, mends.tlsTwice);
  }
}

/** That the gate knows the server name a rule asks for: it ends TLS itself somewhere. */
function checkReadable(frontend: DraftFrontend, route: DraftRoute, mends: Mends, problems: Problems): void {
  if (!frontend.complete || frontend.binds.length === 0 || route.tls === "passthrough") return;
  if (frontend.binds.some((bind) => bind.tls !== undefined)) return;
  const message = "this rule never holds: no bind here ends TLS, so no server name is known";
  problems.error(route.at, message, mends.nameNeedsTls);
}

/** A rule all of whose names an earlier one takes: written twice, or in the wrong order. */
function checkReached(routes: readonly DraftRoute[], problems: Problems): void {
  for (const [index, route] of routes.entries()) {
    if (route.negate || route.names.length === 0) continue;
    const earlier = routes.slice(0, index).filter((other) => !other.negate && other.except.length === 0);
    const takenBy = (name: Located<ServerNamePattern>) =>
      earlier.find((other) => other.names.some((taken) => covers(taken.value, name.value)));
    const first = takenBy(route.names[0]!);
    if (first === undefined || !route.names.every((name) => takenBy(name) !== undefined)) continue;
    problems.warning(
      route.at,
      `this rule is never reached: the one in line ${first.at.line} takes its names first`,
      "the first rule that holds wins; move the narrower one up, or remove this one",
    );
  }
}

/** Whether every name that `narrow` matches is one that `wide` matches, as far as can be told from their text. */
function covers(wide: ServerNamePattern, narrow: ServerNamePattern): boolean {
  if (wide.kind === "any") return true;
  if (narrow.kind === "any") return false;
  if (wide.kind === narrow.kind && wide.value === narrow.value) return true;
  if (narrow.kind === "exact") return matchesServerName(wide, narrow.value);
  if (wide.kind === "suffix") {
    const end = narrow.kind === "wildcard" ? narrow.value.slice(1) : narrow.value;
    return (narrow.kind === "suffix" || narrow.kind === "wildcard") && end.endsWith(wide.value);
  }
  if (wide.kind === "prefix") return narrow.kind === "prefix" && narrow.value.startsWith(wide.value);
  return false;
}

/** Rules by server name beside a default that is one of their own backends: the rules then keep nobody out. */
function checkUnknownNames(frontend: DraftFrontend, mends: Mends, problems: Problems): void {
  const otherwise = frontend.defaultBackend;
  if (otherwise === undefined) return;
  if (!frontend.routes.some((route) => route.backend.value === otherwise.value)) return;
  problems.warning(
    otherwise.at,
    `a client with an unknown server name, or none, still reaches "${otherwise.value}": the rules by name keep nobody out`,
    mends.unknownNamesServed(frontend.binds.some((bind) => bind.tls !== undefined)),
  );
}
