import type { Bind, BindTls, Mode } from "./configuration.ts";
import type { DraftBind, DraftBindTls, Mends } from "./draft.ts";
import type { Problems } from "./problems.ts";
import { checkVersions } from "./settle-versions.ts";

/** @param readsHello  some rule of the frontend reads the ClientHello of a connection it does not terminate */
export function settleBind(
  draft: DraftBind,
  mode: Mode,
  readsHello: boolean,
  mends: Mends,
  problems: Problems,
): Bind {
  if (draft.tls !== undefined) checkTls(draft, draft.tls, mends, problems);
  else if (mode === "http" && draft.complete && !isLocal(draft)) {
    problems.warning(
      draft.at,
      `bind ${draft.written} takes requests without TLS: tokens cross the network in clear text`,
      mends.plainBind,
    );
  }
  return {
    at: draft.at,
    written: draft.written,
    ...(draft.name && { name: draft.name.value }),
    address: draft.address,
    ...(draft.tls && { tls: settleTls(draft.tls, mode) }),
    inspect: draft.tls === undefined && readsHello ? "sni" : "none",
    ...(draft.inspectDelayMs && { inspectDelayMs: draft.inspectDelayMs.value }),
    ...(draft.connectionsMax && { connectionsMax: draft.connectionsMax.value }),
    ...(draft.backlog && { backlog: draft.backlog.value }),
  };
}

function checkTls(draft: DraftBind, tls: DraftBindTls, mends: Mends, problems: Problems): void {
  checkVersions(tls, tls.at, problems);
  if (tls.certificates.length === 0 && draft.complete) {
    problems.error(
      tls.at,
      `bind ${draft.written} is to end TLS but has no certificate`,
      mends.certificateMissing,
    );
  }
  const asks = tls.clientAuth !== undefined && tls.clientAuth.value !== "none";
  if (tls.clientAuth !== undefined && asks && tls.clientCa === undefined && draft.complete) {
    problems.error(
      tls.clientAuth.at,
      `bind ${draft.written} asks clients for a certificate but names no CA that it must come from`,
      mends.clientCaMissing,
    );
  }
  if (tls.clientCa !== undefined && !asks) {
    problems.warning(
      tls.clientCa.at,
      `this CA does nothing: bind ${draft.written} asks no client for a certificate, and the chain that clients are shown comes from the certificate file alone`,
      mends.clientCaUnused,
    );
  }
}

function settleTls(draft: DraftBindTls, mode: Mode): BindTls {
  return {
    certificates: draft.certificates,
    strictSni: draft.strictSni?.value ?? false,
    alpn: draft.alpn?.value ?? (mode === "http" ? ["h2", "http/1.1"] : []),
    minVersion: draft.minVersion?.value ?? "TLSv1.2",
    maxVersion: draft.maxVersion?.value ?? "TLSv1.3",
    ...(draft.ciphers && { ciphers: draft.ciphers.value }),
    ...(draft.cipherSuites && { cipherSuites: draft.cipherSuites.value }),
    ...(draft.curves && { curves: draft.curves.value }),
    clientAuth: draft.clientAuth?.value ?? "none",
    ...(draft.clientCa && { clientCa: draft.clientCa }),
    tickets: draft.tickets?.value ?? true,
  };
}

function isLocal({ address }: DraftBind): boolean {
  return address.kind === "unix" || address.host === "::1" || /^(127\.|localhost$)/.test(address.host);
}

/** Two binds that ask the system for the same address, or for one that the other's wildcard holds already. */
export function checkBindConflicts(binds: readonly DraftBind[], problems: Problems): void {
  for (const [index, bind] of binds.entries()) {
    const earlier = binds.slice(0, index).find((other) => overlap(bind, other));
    if (earlier === undefined) continue;
    problems.error(
      bind.at,
      `bind ${bind.written}: ${earlier.written} in line ${earlier.at.line} already listens there`,
      "one address can be bound once; remove one of the two, or give it another port",
    );
  }
}

function overlap(a: DraftBind, b: DraftBind): boolean {
  if (a.address.kind === "unix" || b.address.kind === "unix") {
    return a.address.kind === "unix" && b.address.kind === "unix" && a.address.path === b.address.path;
  }
  if (a.address.port !== b.address.port) return false;
  if (a.address.host === b.address.host) return true;
  return holds(a.address, b.address.host) || holds(b.address, a.address.host);
}

function holds(wildcard: { readonly host: string; readonly v6only?: boolean }, host: string): boolean {
  const v6 = host.includes(":");
  if (wildcard.host === "0.0.0.0") return !v6;
  if (wildcard.host === "::") return v6 || wildcard.v6only !== true;
  return false;
}
