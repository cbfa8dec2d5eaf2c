import type { Frontend, FrontendLog, FrontendTimeouts, Mode } from "./configuration.ts";
import type { Draft, DraftFrontend } from "./draft.ts";
import type { Problems } from "./problems.ts";
import { settleBind } from "./settle-bind.ts";
import { checkLeadsTo, settleRoutes } from "./settle-routes.ts";
import { settleTimeouts } from "./settle-timeouts.ts";

/** A request head longer than this is answered 431. Room for OIDC tokens and for a front proxy's headers. */
const HEAD_BYTES_MAX = 64 * 1024;

/** A client that has not shown a whole ClientHello or request head by then holds a place and does nothing with it. */
const SLOW_CLIENT_MS = 30_000;

export function settleFrontend(
  draft: DraftFrontend,
  { backends, mends }: Draft,
  problems: Problems,
): Frontend {
  const mode = draft.mode.value;
  checkShape(draft, { mends }, problems);
  const readsHello = draft.routes.some((route) => route.tls === "passthrough");
  if (draft.defaultBackend !== undefined)
    checkLeadsTo(draft, draft.defaultBackend, "terminate", backends, mends, problems);
  return {
    name: draft.name.value,
    at: draft.name.at,
    mode,
    binds: draft.binds.map((bind) => settleBind(bind, mode, readsHello, mends, problems)),
    routes: settleRoutes(draft, backends, mends, problems),
    ...(draft.defaultBackend && { defaultBackend: draft.defaultBackend.value }),
    timeouts: settleClientTimeouts(draft),
    log: settleLog(draft, mode, problems),
    forwardFor: mode === "http" && draft.forwardFor?.value !== false,
    headBytesMax: draft.headBytesMax?.value ?? HEAD_BYTES_MAX,
    ...(draft.connectionsMax && { connectionsMax: draft.connectionsMax.value }),
  };
}

function checkShape(draft: DraftFrontend, { mends }: Pick<Draft, "mends">, problems: Problems): void {
  if (!draft.complete) return;
  const name = `frontend "${draft.name.value}"`;
  if (draft.binds.length === 0) problems.warning(draft.name.at, `${name} listens nowhere`, mends.noBind);
  if (draft.routes.length === 0 && draft.defaultBackend === undefined) {
    problems.warning(draft.name.at, `${name} leads nowhere: every client is refused`, mends.leadsNowhere);
  }
  if (draft.binds.length > 0 && !draft.timeouts.clientMs?.value) {
    problems.warning(
      draft.name.at,
      `${name} has no timeout for the client: one that falls silent is waited for without end`,
      mends.timeoutMissing(["client"]),
    );
  }
}

/**
 * HAProxy's defaults (manual §4.2): http-keep-alive falls back on http-request, that on client. But a head or a
 * handshake may not take a day only because streams may: without a word of its own, 30 s at the most.
 */
function settleClientTimeouts(draft: DraftFrontend): FrontendTimeouts {
  const written = settleTimeouts(draft.timeouts);
  const client = written.clientMs;
  const soon = Math.min(client ?? SLOW_CLIENT_MS, SLOW_CLIENT_MS);
  const keepAlive = written.httpKeepAliveMs ?? written.httpRequestMs ?? client;
  return {
    ...written,
    httpRequestMs: written.httpRequestMs ?? soon,
    handshakeMs: written.handshakeMs ?? soon,
    ...(keepAlive !== undefined && { httpKeepAliveMs: keepAlive }),
  };
}

function settleLog(draft: DraftFrontend, mode: Mode, problems: Problems): FrontendLog {
  let format = draft.log.format?.value ?? "default";
  if (format === "httplog" && mode === "tcp") {
    format = "tcplog";
    problems.warning(
      draft.log.format!.at,
      `frontend "${draft.name.value}" does not read requests (mode tcp), so its log lines are those of tcplog`,
    );
  }
  return {
    targets: draft.log.targets.map((target) => target.value),
    format,
    dontLogNull: draft.log.dontLogNull?.value ?? false,
  };
}
