import type {
  DraftBackend,
  DraftBind,
  DraftFrontend,
  DraftLog,
  DraftRoute,
  Located,
  Mode,
  Problems,
} from "../../model/index.ts";
import { draftCheckMethod } from "./check.ts";
import { type Global, headBytesMax } from "./global.ts";
import type { ReadProxy } from "./settings.ts";
import { backendTimeouts, frontendTimeouts } from "./timeouts.ts";
import { checkHttpAlpn } from "./tls.ts";

/** A `frontend`, or the half of a `listen` that clients see. */
export function draftFrontend(proxy: ReadProxy, global: Global, problems: Problems): DraftFrontend {
  const { settings, name } = proxy;
  const mode = modeOf(proxy);
  for (const { tls } of proxy.binds)
    if (tls?.alpn && mode.value === "http") checkHttpAlpn(tls.alpn, problems);
  adviseOnAlpn(proxy, mode.value, problems);
  const routes = readableRoutes(proxy, mode.value, problems);
  adviseOnHello(proxy, mode.value, problems);
  const headBytes = headBytesMax(global);
  const defaultBackend = proxy.otherwise ?? settings.defaultBackend ?? ownServers(proxy);
  return {
    name,
    complete: proxy.complete,
    mode,
    binds: proxy.binds.map((bind) => inherit(bind, proxy)),
    routes,
    ...(defaultBackend && { defaultBackend }),
    timeouts: frontendTimeouts(settings.timeouts),
    log: draftLog(proxy, global),
    ...(settings.forwardFor && { forwardFor: settings.forwardFor }),
    ...(headBytes && { headBytesMax: headBytes }),
    ...(settings.connectionsMax && { connectionsMax: settings.connectionsMax }),
  };
}

/** A `backend`, or the half of a `listen` that has servers. */
export function draftBackend(proxy: ReadProxy, problems: Problems): DraftBackend {
  const { settings, name } = proxy;
  const mode = modeOf(proxy);
  for (const { tls } of proxy.servers)
    if (tls?.alpn && mode.value === "http") checkHttpAlpn(tls.alpn, problems);
  const check = draftCheckMethod(settings.check, problems);
  return {
    name,
    complete: proxy.complete,
    mode,
    ...(settings.balance && { balance: settings.balance }),
    servers: proxy.servers,
    timeouts: backendTimeouts(settings.timeouts),
    ...(check && { check }),
    ...(settings.retries && { retries: settings.retries }),
    ...(settings.errorFile && { kubernetes: { value: false, at: settings.errorFile } }),
    ...(settings.forwardFor && { forwardFor: settings.forwardFor }),
  };
}

/** HAProxy's built-in mode is tcp (manual §4.2 `mode`). */
function modeOf({ settings, name }: ReadProxy): Located<Mode> {
  return settings.mode ?? { value: "tcp", at: name.at };
}

function ownServers({ place, servers, name }: ReadProxy): Located<string> | undefined {
  return place === "L" && servers.length > 0 ? name : undefined;
}

function inherit(bind: DraftBind, { settings, inspectDelayMs }: ReadProxy): DraftBind {
  const backlog = bind.backlog ?? settings.backlog;
  return { ...bind, ...(backlog && { backlog }), ...(inspectDelayMs && { inspectDelayMs }) };
}

function draftLog({ settings }: ReadProxy, global: Global): DraftLog {
  return {
    targets: settings.logs.flatMap((log) => (log === "global" ? global.logs : [log])),
    ...(settings.logFormat && { format: settings.logFormat }),
    ...(settings.dontLogNull && { dontLogNull: settings.dontLogNull }),
  };
}

/** Before 2.8 HAProxy offered no ALPN unless told: a file that says nothing was written for HTTP/1.1. */
function adviseOnAlpn({ binds }: ReadProxy, mode: Mode, problems: Problems): void {
  if (mode !== "http") return;
  for (const { tls, complete } of binds) {
    if (tls === undefined || tls.alpn !== undefined || tls.certificates.length === 0 || !complete) continue;
    problems.warning(
      tls.at,
      "without alpn, HAProxy before 2.8 keeps kubectl at HTTP/1.1; Postern offers h2,http/1.1",
      'write "alpn h2,http/1.1" to have the same everywhere, or "alpn http/1.1" to keep HTTP/2 out',
    );
  }
}

/** `req.ssl_sni` finds a ClientHello only where nobody has read it yet; else it is taken for what was meant. */
function readableRoutes({ binds, routes }: ReadProxy, mode: Mode, problems: Problems): readonly DraftRoute[] {
  const ends = binds.some(({ tls }) => tls !== undefined);
  if (mode === "tcp" && !ends) return routes;
  const why = ends ? "the bind ends TLS itself" : "the frontend is mode http";
  return routes.map((route) => {
    if (route.tls === "terminate") return route;
    problems.error(
      route.at,
      `this rule never holds: ${why}, so no ClientHello is left to read`,
      'ask "ssl_fc_sni" where the bind has "ssl"; "req.ssl_sni" needs mode tcp and a bind without it',
    );
    return ends ? { ...route, tls: "terminate" } : route;
  });
}

/** Without these two lines HAProxy looks for the name before the ClientHello is there, and never finds it. */
function adviseOnHello(proxy: ReadProxy, mode: Mode, problems: Problems): void {
  const { binds, routes, inspectDelayMs, waitsForHello, complete } = proxy;
  const first = routes.find(({ tls }) => tls === "passthrough");
  if (mode === "http" || binds.some(({ tls }) => tls !== undefined)) return;
  if (first === undefined || !complete || (inspectDelayMs !== undefined && waitsForHello)) return;
  problems.warning(
    first.at,
    "HAProxy would not wait for the ClientHello here, and would never see a name; Postern waits",
    'add "tcp-request inspect-delay 5s" and "tcp-request content accept if { req.ssl_hello_type 1 }"',
  );
}
