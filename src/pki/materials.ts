import type { SecureContext } from "node:tls";
import type {
  Bind,
  BindTls,
  CertificateFile,
  Configuration,
  Diagnostic,
  FileReference,
  Frontend,
  Position,
  Route,
  Server,
  ServerNamePattern,
} from "../model/index.ts";
import { type Authorities, type AuthoritiesRead, readAuthorities } from "./authorities.ts";
import { type BundleRead, bundleFiles, readBundle, type ServerCertificate } from "./bundle.ts";
import { servedNames, shortName } from "./certificate.ts";
import { type Candidate, carriesName, certificateChooser } from "./choose.ts";
import { type ServerTrust, serverContext, serverTrust } from "./context.ts";
import { error, type Finding, placed, warning } from "./finding.ts";
import type { Purpose } from "./judge.ts";

/** Everything of TLS that a Configuration names, ready to use. */
export interface Materials {
  /** One for each bind with TLS. */
  readonly binds: ReadonlyMap<Bind, BindMaterials>;
  /** One for each server with TLS that could be prepared. */
  readonly servers: ReadonlyMap<Server, ServerTrust>;
  /** Every file that was opened, for who watches them. */
  readonly files: readonly string[];
}

export interface BindMaterials {
  /** In the order loaded; the first is the default. */
  readonly certificates: readonly ServerCertificate[];
  /** The context for a client's server name; undefined: there is none for it (strict-sni). */
  contextFor(serverName: string | undefined): SecureContext | undefined;
}

export interface MaterialsRead {
  readonly materials: Materials;
  readonly problems: readonly Diagnostic[];
}

/**
 * Reads and judges every certificate, key and CA that a configuration names, each file once, and builds the contexts.
 * Never throws for what a file holds: a part that cannot be had is missing in the materials, and its error is told.
 */
export function loadMaterials(configuration: Configuration, now: Date = new Date()): MaterialsRead {
  const shelf = new Shelf(now);
  const binds = new Map<Bind, BindMaterials>();
  for (const frontend of configuration.frontends) {
    for (const bind of frontend.binds) {
      if (bind.tls !== undefined) binds.set(bind, prepareBind(shelf, frontend, bind, bind.tls));
    }
  }
  const servers = new Map<Server, ServerTrust>();
  for (const backend of configuration.backends.values()) {
    for (const server of backend.servers) {
      const trust = prepareServer(shelf, server);
      if (trust !== undefined) servers.set(server, trust);
    }
  }
  return { materials: { binds, servers, files: [...shelf.files] }, problems: shelf.problems };
}

function prepareBind(shelf: Shelf, frontend: Frontend, bind: Bind, tls: BindTls): BindMaterials {
  // Loaded even where no client certificate is asked for: like HAProxy, a bind does not start with a bad file.
  const clients = tls.clientCa === undefined ? undefined : shelf.authorities(tls.clientCa, bind.at);
  const certificates = tls.certificates.flatMap((file) => shelf.bundles(file));
  if (tls.certificates.length === 0) {
    shelf.tell([error(`there is no certificate for bind ${bind.written}`, "add: crt FILE")], bind.at);
  }
  const scope = `${frontend.name} ${frontend.binds.indexOf(bind)} ${bind.written}`;
  const candidates: Candidate<SecureContext>[] = [];
  for (const certificate of certificates) {
    const built = serverContext(certificate, tls, clients, scope);
    if (built.kind === "built") candidates.push({ names: servedNames(certificate), value: built.value });
    else shelf.tell([built.finding], bind.at);
  }
  judgeRoutes(shelf, frontend, bind, certificates);
  return { certificates, contextFor: certificateChooser(candidates, tls.strictSni) };
}

/** A name that leads somewhere and that no certificate carries: its clients will be shown another's. */
function judgeRoutes(
  shelf: Shelf,
  frontend: Frontend,
  bind: Bind,
  certificates: readonly ServerCertificate[],
): void {
  const [fallback] = certificates;
  if (fallback === undefined) return;
  const candidates = certificates.map((value) => ({ names: servedNames(value), value }));
  const outcome = bind.tls?.strictSni
    ? "its clients are refused (strict-sni)"
    : `its clients are shown the one for ${shownNames(fallback)}, and refuse it if they verify`;
  for (const route of frontend.routes) {
    for (const name of routeNames(route)) {
      if (carriesName(candidates, name)) continue;
      const problem = warning(
        `no certificate on bind ${bind.written} carries the name ${name}: ${outcome}`,
        `add one to the bind (crt FILE); to make one: postern cert self-signed --host ${name}`,
      );
      shelf.tell([problem], route.at);
    }
  }
}

function routeNames(route: Route): string[] {
  if (route.negate || route.tls === "passthrough") return [];
  const isName = ({ kind }: ServerNamePattern) => kind === "exact" || kind === "wildcard";
  return route.names.filter(isName).flatMap((pattern) => ("value" in pattern ? [pattern.value] : []));
}

function shownNames(certificate: ServerCertificate): string {
  const names = [...certificate.names, ...certificate.addresses];
  if (names.length === 0) return shortName(certificate);
  return names.length <= 3
    ? names.join(", ")
    : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

function prepareServer(shelf: Shelf, server: Server): ServerTrust | undefined {
  const { tls } = server;
  if (tls === undefined) return undefined;
  const certificate = tls.certificate === undefined ? undefined : shelf.bundle(tls.certificate, "client");
  // Without a CA of its own a verified server is judged by the machine's trust store; it is never not judged.
  const ca = tls.ca ?? (tls.verify === "required" ? "system" : undefined);
  const authorities = ca === undefined ? undefined : shelf.authorities(ca, server.at);
  const incomplete =
    (ca !== undefined && authorities === undefined) ||
    (tls.certificate !== undefined && certificate === undefined);
  if (incomplete) return undefined;
  const built = serverTrust(tls, authorities, certificate);
  if (built.kind === "built") return built.value;
  shelf.tell([built.finding], server.at);
  return undefined;
}

function needlessKey(path: string): Finding {
  return warning(
    `${path} holds a private key, which whoever trusts a CA does not need`,
    "keep only its certificates; keep the key elsewhere",
  );
}

/** Opens each file once, however many lines name it, and tells its problems once: at the first of them. */
class Shelf {
  readonly problems: Diagnostic[] = [];
  readonly files = new Set<string>();
  readonly #now: Date;
  readonly #bundles = new Map<string, BundleRead>();
  readonly #authorities = new Map<string, AuthoritiesRead>();

  constructor(now: Date) {
    this.#now = now;
  }

  /** Every certificate that a `crt` stands for. */
  bundles(file: CertificateFile): ServerCertificate[] {
    const files = bundleFiles(file);
    if (files.length === 0) {
      this.tell([error(`there is no certificate in the folder ${file.path}`)], file.at);
    }
    return files.flatMap((each) => this.bundle(each, "server") ?? []);
  }

  bundle(file: CertificateFile, purpose: Purpose): ServerCertificate | undefined {
    const key = JSON.stringify([file.path, file.keyPath, purpose]);
    let read = this.#bundles.get(key);
    if (read === undefined) {
      read = readBundle(file, purpose, this.#now);
      this.#bundles.set(key, read);
      for (const opened of read.files) this.files.add(opened);
      this.problems.push(...read.problems);
    }
    return read.certificate;
  }

  /** @param at  where a reference to the machine's trust store is told of */
  authorities(ca: FileReference | "system", at: Position): Authorities | undefined {
    const key = ca === "system" ? "@system-ca" : ca.path;
    let read = this.#authorities.get(key);
    if (read === undefined) {
      read = readAuthorities(ca, this.#now);
      this.#authorities.set(key, read);
      for (const opened of read.files) this.files.add(opened);
      this.tell([...read.findings, ...read.withKey.map(needlessKey)], ca === "system" ? at : ca.at);
    }
    return read.authorities;
  }

  /** The same thing at the same place (two certificates of one bind) is told once. */
  tell(findings: readonly Finding[], at: Position): void {
    const isTold = ({ message }: Finding) =>
      this.problems.some((problem) => problem.message === message && problem.at === at);
    this.problems.push(
      ...placed(
        findings.filter((finding) => !isTold(finding)),
        at,
      ),
    );
  }
}
