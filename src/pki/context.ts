import { constants, createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { BindTls, ServerTls, TlsVersion } from "../model/index.ts";
import type { Authorities } from "./authorities.ts";
import type { ServerCertificate } from "./bundle.ts";
import { error, type Finding } from "./finding.ts";

/** What dialling a server takes, and what its failure is told with. */
export interface ServerTrust {
  readonly context: SecureContext;
  readonly verify: "none" | "required";
  /** The file or folder of the authorities; undefined: the machine's own trust store, or none are needed. */
  readonly caPath: string | undefined;
  /** What messages call them; empty where caPath is undefined. */
  readonly caNames: readonly string[];
}

export type Built<T> =
  | { readonly kind: "built"; readonly value: T }
  | { readonly kind: "refused"; readonly finding: Finding };

/** AES-128 first: it costs less than AES-256 and is no nearer to being broken; Go orders them so, too. */
const SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/** Forward secrecy and AEAD only (RFC 9325 §4.2). */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");
/** TLS 1.0 and 1.1 know none of those, and OpenSSL 3 speaks them at security level 0 only. */
const OLD_CIPHERS = "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0";

/**
 * The context by which a bind shows one certificate; built once, never per connection.
 * @param scope  names the bind among all binds: a session made elsewhere, or under another client CA, is not resumed here
 */
export function serverContext(
  certificate: ServerCertificate,
  tls: BindTls,
  clients: Authorities | undefined,
  scope: string,
): Built<SecureContext> {
  const asked = tls.clientAuth === "none" ? undefined : clients;
  return build(
    {
      ...versionsAndCiphers(tls),
      ...(tls.curves !== undefined && { ecdhCurve: tls.curves }),
      cert: certificate.chainPem,
      key: pemOfKey(certificate),
      ca: pemList(asked),
      sessionIdContext: sessionScope(scope, tls.clientAuth, asked),
      // A renegotiation (TLS 1.2) costs us a signature and the client next to nothing; no client of an API needs it.
      secureOptions:
        constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
        constants.SSL_OP_NO_RENEGOTIATION |
        (tls.tickets ? 0 : constants.SSL_OP_NO_TICKET),
    },
    certificate,
  );
}

/** The context that dials a server; built once. Whether the verdict counts, and the name, is the dialler's part. */
export function serverTrust(
  tls: ServerTls,
  authorities: Authorities | undefined,
  certificate?: ServerCertificate,
): Built<ServerTrust> {
  const built = build(
    {
      ...versionsAndCiphers(tls),
      ca: pemList(authorities),
      ...(certificate !== undefined && { cert: certificate.chainPem, key: pemOfKey(certificate) }),
    },
    certificate,
  );
  if (built.kind === "refused") return built;
  const named = authorities?.system === false ? authorities : undefined;
  return {
    kind: "built",
    value: { context: built.value, verify: tls.verify, caPath: named?.path, caNames: named?.names ?? [] },
  };
}

interface VersionsAndCiphers {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  readonly ciphers?: string;
  readonly cipherSuites?: string;
}

/** Node takes TLS 1.3 suites and older ciphers in one list. */
function versionsAndCiphers(tls: VersionsAndCiphers): SecureContextOptions {
  const old = tls.minVersion === "TLSv1" || tls.minVersion === "TLSv1.1";
  const ciphers = tls.ciphers ?? (old ? `${CIPHERS}:${OLD_CIPHERS}` : CIPHERS);
  return {
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ciphers: `${tls.cipherSuites ?? SUITES}:${ciphers}`,
  };
}

/** An empty list, not an absent one: absent means Node's own roots, whom nobody asked to trust. */
function pemList(authorities: Authorities | undefined): string[] {
  return [...(authorities?.pems ?? [])];
}

function pemOfKey(certificate: ServerCertificate): string {
  return certificate.key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** OpenSSL takes 32 bytes (SSL_MAX_SID_CTX_LENGTH). */
function sessionScope(scope: string, clientAuth: string, clients: Authorities | undefined): string {
  const hash = createHash("sha256").update(`${scope}\0${clientAuth}`);
  for (const pem of clients?.pems ?? []) hash.update(`\0${pem}`);
  return hash.digest("hex").slice(0, 32);
}

function build(
  options: SecureContextOptions,
  certificate: ServerCertificate | undefined,
): Built<SecureContext> {
  try {
    return { kind: "built", value: createSecureContext(options) };
  } catch (caught) {
    return { kind: "refused", finding: explain(caught as NodeJS.ErrnoException, options, certificate) };
  }
}

function explain(
  { code = "", message }: NodeJS.ErrnoException,
  options: SecureContextOptions,
  certificate: ServerCertificate | undefined,
): Finding {
  if (/CIPHER/i.test(code)) return error(`OpenSSL knows none of the ciphers "${options.ciphers}"`);
  if (/curve/i.test(message)) return error(`OpenSSL does not know the curves "${options.ecdhCurve}"`);
  const words = message.split(":").at(-1) ?? message;
  const path = certificate?.path ?? "";
  if (code === "ERR_SSL_CA_MD_TOO_WEAK") {
    return error(
      `OpenSSL refuses the certificate in ${path}: its signature's hash is broken`,
      "have it signed with SHA-256",
    );
  }
  return error(`OpenSSL refuses the certificate in ${path}: ${words}`);
}
