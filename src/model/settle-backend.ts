import type { Backend, Check, Server, ServerTls } from "./configuration.ts";
import type { DraftBackend, DraftCheck, DraftServer, DraftServerTls, Mends } from "./draft.ts";
import type { Problems } from "./problems.ts";
import { reportTwice } from "./settle-names.ts";
import { settleTimeouts } from "./settle-timeouts.ts";
import { checkVersions } from "./settle-versions.ts";

export function settleBackend(draft: DraftBackend, mends: Mends, problems: Problems): Backend {
  reportTwice(draft.servers, problems);
  if (draft.servers.length === 0 && draft.complete) {
    problems.warning(draft.name.at, `backend "${draft.name.value}" has no server`, mends.noServers);
  }
  checkTimeouts(draft, mends, problems);
  const timeouts = settleTimeouts(draft.timeouts);
  const queueMs = timeouts.queueMs ?? timeouts.connectMs;
  return {
    name: draft.name.value,
    at: draft.name.at,
    mode: draft.mode.value,
    balance: draft.balance?.value ?? "roundrobin",
    servers: draft.servers.map((server) => settleServer(server, draft, mends, problems)),
    timeouts: { ...timeouts, ...(queueMs !== undefined && { queueMs }) },
    check: draft.check?.value ?? { kind: "connect" },
    retries: draft.retries?.value ?? 3,
    kubernetes: draft.kubernetes?.value ?? draft.mode.value === "http",
    forwardFor: draft.mode.value === "http" && draft.forwardFor?.value !== false,
  };
}

function checkTimeouts(draft: DraftBackend, mends: Mends, problems: Problems): void {
  if (draft.servers.length === 0 || !draft.complete) return;
  const missing: ("connect" | "server")[] = [];
  if (!draft.timeouts.connectMs?.value) missing.push("connect");
  if (!draft.timeouts.serverMs?.value) missing.push("server");
  if (missing.length === 0) return;
  problems.warning(
    draft.name.at,
    `backend "${draft.name.value}" has no timeout for ${missing.join(" and ")}: a server that hangs is waited for without end`,
    mends.timeoutMissing(missing),
  );
}

function settleServer(draft: DraftServer, backend: DraftBackend, mends: Mends, problems: Problems): Server {
  if (draft.tls !== undefined) checkTls(draft, draft.tls, mends, problems);
  else if (draft.complete && backend.mode.value === "http" && TLS_PORTS.has(draft.port.value)) {
    problems.warning(
      draft.port.at,
      `server "${draft.name.value}" is spoken to without TLS, tokens included, though port ${draft.port.value} is one for TLS`,
      mends.plainServer,
    );
  }
  return {
    name: draft.name.value,
    at: draft.name.at,
    host: draft.host.value,
    port: draft.port.value,
    weight: draft.weight?.value ?? 1,
    backup: draft.backup?.value ?? false,
    disabled: draft.disabled?.value ?? false,
    ...(draft.connectionsMax && { connectionsMax: draft.connectionsMax.value }),
    ...(draft.tls && { tls: settleTls(draft.tls, backend.mode.value === "http") }),
    ...(draft.check && { check: settleCheck(draft.check, draft.tls !== undefined) }),
  };
}

const TLS_PORTS: ReadonlySet<number> = new Set([443, 6443, 8443]);

/** Who the gate believes it talks to: a chain alone proves only who signed, not whose certificate it is. */
function checkTls(draft: DraftServer, tls: DraftServerTls, mends: Mends, problems: Problems): void {
  checkVersions(tls, tls.at, problems);
  const nameToAsk = isAddress(draft.host.value) ? "kubernetes" : draft.host.value;
  if (tls.verify?.value === "none") {
    problems.warning(
      tls.verify.at,
      "the server's certificate is not verified: whoever answers at its address gets the clients' tokens",
      mends.serverUnverified(nameToAsk),
    );
    return;
  }
  if (tls.ca === undefined) {
    if (!draft.complete) return;
    problems.error(
      tls.at,
      `server "${draft.name.value}" is to be verified, but no CA is named that its certificate must come from`,
      mends.serverCaMissing,
    );
    return;
  }
  if (tls.verifyHost !== undefined || tls.sni?.value.kind === "fixed") return;
  // The name a client asks for is checked by HAProxy as well where sni takes it over.
  if (tls.sni?.value.kind === "client") return;
  const whose =
    tls.ca.value.kind === "system" ? "any certificate of any public CA" : "any certificate of that CA";
  problems.warning(
    tls.ca.at,
    `only the chain is verified, not the name: ${whose} is taken for the server's`,
    mends.serverNameUnverified(nameToAsk),
  );
}

function settleTls(draft: DraftServerTls, http: boolean): ServerTls {
  const ca =
    draft.ca === undefined
      ? undefined
      : draft.ca.value.kind === "system"
        ? ("system" as const)
        : { path: draft.ca.value.path, at: draft.ca.at };
  return {
    verify: draft.verify?.value ?? "required",
    ...(ca !== undefined && { ca }),
    ...(draft.sni && { sni: draft.sni.value }),
    ...(draft.verifyHost && { verifyHost: draft.verifyHost.value }),
    alpn: draft.alpn?.value ?? (http ? ["h2", "http/1.1"] : []),
    minVersion: draft.minVersion?.value ?? "TLSv1.2",
    maxVersion: draft.maxVersion?.value ?? "TLSv1.3",
    ...(draft.ciphers && { ciphers: draft.ciphers.value }),
    ...(draft.cipherSuites && { cipherSuites: draft.cipherSuites.value }),
    ...(draft.certificate && { certificate: draft.certificate }),
  };
}

function settleCheck(draft: DraftCheck, serverTls: boolean): Check {
  return {
    interMs: draft.interMs?.value ?? 2000,
    ...(draft.fastInterMs && { fastInterMs: draft.fastInterMs.value }),
    ...(draft.downInterMs && { downInterMs: draft.downInterMs.value }),
    rise: draft.rise?.value ?? 2,
    fall: draft.fall?.value ?? 3,
    ...(draft.port && { port: draft.port.value }),
    ...(draft.host && { host: draft.host.value }),
    tls: draft.tls?.value ?? serverTls,
    ...(draft.sni && { sni: draft.sni.value }),
  };
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^[0-9.]+$/.test(host);
}
