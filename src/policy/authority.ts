import { isIP } from "node:net";
import { type Frontend, matchesRoute, normalServerName, type Route } from "../model/index.ts";
import { type Ask, type Guard, PASS, type Refusal } from "./guard.ts";

/**
 * Keeps a connection to the cluster it was made for (421, RFC 9110 §15.5.20). An HTTP/2 client may send requests for
 * another name down a connection whose certificate covers both; they would reach the wrong API server.
 *
 * Refused is an authority that a rule of the frontend names, when that rule leads to another backend than the lane's,
 * or past the gate untouched. The rules are asked as routing asks them: the first that matches wins. Unknown names and
 * IP addresses pass, for with `tls-server-name` the authority differs from the server name by design; so does
 * everything on a lane without TLS, which had no server name to be routed by.
 */
export function matchAuthority(frontend: Frontend): Guard {
  const routeFor = compile(frontend.routes);
  // A client repeats its authority with each request.
  let lastAuthority: string | undefined;
  let lastRoute: Route | undefined;
  return (ask) => {
    const authority = authorityOf(ask);
    if (authority === undefined || !ask.lane.tls) return PASS;
    if (authority !== lastAuthority) {
      lastRoute = routeFor(nameOf(authority));
      lastAuthority = authority;
    }
    if (lastRoute === undefined) return PASS;
    return lastRoute.backend === ask.lane.backend && lastRoute.tls === "terminate" ? PASS : MISDIRECTED;
  };
}

const MISDIRECTED: Refusal = { kind: "refuse", reason: "wrong_authority" };

/** @param name  normal; undefined for what cannot be a server name */
type RouteFor = (name: string | undefined) => Route | undefined;

/**
 * Names written out are looked up; only for others are the rules tried in order. Which rule wins for a written name is
 * settled here, so that a pattern above it keeps its precedence.
 */
function compile(routes: readonly Route[]): RouteFor {
  if (routes.length === 0) return () => undefined;
  const written = new Map<string, Route | undefined>();
  for (const { names } of routes) {
    for (const name of names) {
      if (name.kind === "exact" && !written.has(name.value))
        written.set(name.value, firstNaming(routes, name.value));
    }
  }
  // A rule of written names only cannot match a name that is not among them, unless it is turned round.
  const patterns = routes.filter(
    (route) => route.negate || route.names.some((name) => name.kind !== "exact"),
  );
  return (name) => {
    if (name === undefined) return undefined;
    if (written.has(name)) return written.get(name);
    return patterns.length === 0 ? undefined : firstNaming(patterns, name);
  };
}

/** The rule that routing would take; undefined when none does, or when it takes the name without naming it. */
function firstNaming(routes: readonly Route[], name: string): Route | undefined {
  const first = routes.find((route) => matchesRoute(route, name));
  // "Any name", and "any but that one", lead somewhere but name nobody.
  if (first === undefined || first.negate || first.names.some(({ kind }) => kind === "any")) return undefined;
  return first;
}

/** An absolute target speaks for itself (RFC 9112 §3.2.2). */
function authorityOf({ target, authority }: Ask): string | undefined {
  if (target.charCodeAt(0) === SLASH) return authority;
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target);
  return absolute === null ? authority : absolute[1];
}

const SLASH = 0x2f;

/** Without userinfo, port and trailing dot, in lower case; undefined for an IP address or nothing. */
function nameOf(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (host.startsWith("[")) return undefined;
  const colon = host.indexOf(":");
  const name = normalServerName(colon < 0 ? host : host.slice(0, colon));
  // More than one colon without brackets is an IPv6 address, if anything.
  return name === "" || isIP(name) !== 0 || host.indexOf(":", colon + 1) > colon ? undefined : name;
}
