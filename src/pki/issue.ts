import { createPrivateKey, KeyObject, randomBytes, type webcrypto, X509Certificate } from "node:crypto";
import type * as X509 from "@peculiar/x509";
import { PkiError } from "./error.ts";
import { readHosts } from "./hosts.ts";

/** A certificate with its private key (PKCS#8, not encrypted), both PEM. */
export interface Issued {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** A private CA: what signs, and what clients are given (`certificatePem` only) to trust it. */
export type Authority = Issued;

/** ECDSA on P-256, or RSA with 2048 bits for clients that know nothing else. */
export type KeyType = "ec" | "rsa";

export interface Validity {
  readonly days?: number;
  /** Undefined: a little before now, for clocks that lag behind ours. */
  readonly notBefore?: Date;
}

export interface ServerRequest extends Validity {
  /** DNS names (`*.example.com` allowed) and IP addresses; the first is the common name too. */
  readonly hosts: readonly string[];
  readonly keyType?: KeyType;
}

export interface ClientRequest extends Validity {
  /** Kubernetes takes the user from CN and the groups from O (kubernetes.io, "X509 client certificates"). */
  readonly user: string;
  readonly groups?: readonly string[];
  readonly keyType?: KeyType;
}

/** The longest validity that every client takes for a leaf (CA/Browser Forum, Apple's limit). */
const LEAF_DAYS = 398;
const AUTHORITY_DAYS = 3650;
const CLOCK_LAG_MS = 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** RFC 5280 appendix A: ub-common-name. */
const COMMON_NAME_MAX = 64;

/** @throws PkiError `bad_days` */
export async function createAuthority(
  request: Validity & { readonly commonName: string; readonly keyType?: KeyType },
): Promise<Authority> {
  const x509 = await library();
  const keys = await generateKeys(request.keyType ?? "ec");
  const { KeyUsageFlags } = x509;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(request, AUTHORITY_DAYS),
    serialNumber: randomSerial(),
    name: [{ CN: [request.commonName] }],
    keys,
    signingAlgorithm: signingAlgorithm(keys.privateKey),
    extensions: [
      // It signs leaves only: a path length of 0 keeps a stolen leaf from becoming an authority.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), keyPem: privatePem(keys.privateKey) };
}

/** @throws PkiError `bad_host`, `bad_days`, `bad_authority` */
export async function issueServerCertificate(authority: Authority, request: ServerRequest): Promise<Issued> {
  const x509 = await library();
  const keys = await generateKeys(request.keyType ?? "ec");
  return sign(x509, authority, keys, {
    name: hostSubject(request.hosts),
    period: validity(request, LEAF_DAYS),
    extensions: await serverExtensions(x509, keys.publicKey, request),
  });
}

/** @throws PkiError `bad_days`, `bad_authority` */
export async function issueClientCertificate(authority: Authority, request: ClientRequest): Promise<Issued> {
  const x509 = await library();
  const keys = await generateKeys(request.keyType ?? "ec");
  return sign(x509, authority, keys, {
    name: [...(request.groups ?? []).map((group) => ({ O: [group] })), { CN: [request.user] }],
    period: validity(request, LEAF_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

/**
 * A certificate that is its own issuer: clients trust it when they are given this very certificate as their CA.
 * @throws PkiError `bad_host`, `bad_days`
 */
export async function selfSigned(request: ServerRequest): Promise<Issued> {
  const x509 = await library();
  const keys = await generateKeys(request.keyType ?? "ec");
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(request, LEAF_DAYS),
    serialNumber: randomSerial(),
    name: hostSubject(request.hosts),
    keys,
    signingAlgorithm: signingAlgorithm(keys.privateKey),
    extensions: await serverExtensions(x509, keys.publicKey, request),
  });
  return { certificatePem: pem(certificate), keyPem: privatePem(keys.privateKey) };
}

/** Certificate, then key: the order in which the recipe and HAProxy's manual (§5.1 `crt`) put them into one file. */
export function bundlePem(issued: Issued): string {
  return `${issued.certificatePem}${issued.keyPem}`;
}

interface Leaf {
  readonly name: X509.JsonName;
  readonly period: Period;
  readonly extensions: readonly X509.Extension[];
}

async function sign(
  x509: typeof X509,
  authority: Authority,
  keys: webcrypto.CryptoKeyPair,
  leaf: Leaf,
): Promise<Issued> {
  const { certificate: issuer, signingKey } = await openAuthority(x509, authority);
  const issuerKeyId = issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: leaf.name,
    // Byte for byte the authority's subject: Go compares names so.
    issuer: issuer.subjectName,
    notBefore: leaf.period.notBefore,
    // A leaf that outlives its authority only fails later, and harder to understand.
    notAfter: new Date(Math.min(leaf.period.notAfter.getTime(), issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: signingAlgorithm(signingKey),
    extensions: [
      ...leaf.extensions,
      issuerKeyId === undefined
        ? await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
        : new x509.AuthorityKeyIdentifierExtension(issuerKeyId),
    ],
  });
  return { certificatePem: pem(certificate), keyPem: privatePem(keys.privateKey) };
}

async function openAuthority(x509: typeof X509, authority: Authority) {
  const { subject, key } = readAuthority(authority);
  if (!subject.checkPrivateKey(key)) {
    throw new PkiError("bad_authority", "the authority's private key does not belong to its certificate");
  }
  if (!subject.ca) {
    throw new PkiError(
      "bad_authority",
      `${oneLine(subject.subject)} may not sign: it is not a CA certificate`,
    );
  }
  if (Date.parse(subject.validTo) < Date.now()) {
    throw new PkiError("bad_authority", `${oneLine(subject.subject)} may not sign any more: it has expired`);
  }
  const der = key.export({ type: "pkcs8", format: "der" });
  return {
    certificate: new x509.X509Certificate(authority.certificatePem),
    signingKey: await crypto.subtle.importKey("pkcs8", der, importAlgorithm(key), false, ["sign"]),
  };
}

function readAuthority({ certificatePem, keyPem }: Authority): { subject: X509Certificate; key: KeyObject } {
  try {
    return { subject: new X509Certificate(certificatePem), key: createPrivateKey(keyPem) };
  } catch {
    throw new PkiError(
      "bad_authority",
      "the authority's certificate or private key cannot be read",
      "both must be PEM, the key not encrypted",
    );
  }
}

async function serverExtensions(
  x509: typeof X509,
  publicKey: webcrypto.CryptoKey,
  request: ServerRequest,
): Promise<X509.Extension[]> {
  const { names, addresses } = readHosts(request.hosts);
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(
      request.keyType === "rsa" ? digitalSignature | keyEncipherment : digitalSignature,
      true,
    ),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension([
      ...names.map((value) => ({ type: "dns" as const, value })),
      ...addresses.map((value) => ({ type: "ip" as const, value })),
    ]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

function hostSubject(hosts: readonly string[]): X509.JsonName {
  const { names, addresses } = readHosts(hosts);
  const first = [...names, ...addresses].find((host) => host.length <= COMMON_NAME_MAX);
  return [{ CN: [first ?? "postern"] }];
}

interface Period {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

function validity(request: Validity, daysByDefault: number): Period {
  const days = request.days ?? daysByDefault;
  if (!Number.isInteger(days) || days < 1 || days > 36500) {
    throw new PkiError("bad_days", `a certificate is valid for 1 to 36500 days, not ${days}`);
  }
  const notBefore = request.notBefore ?? new Date(Date.now() - CLOCK_LAG_MS);
  return { notBefore, notAfter: new Date(notBefore.getTime() + days * DAY_MS) };
}

async function generateKeys(keyType: KeyType): Promise<webcrypto.CryptoKeyPair> {
  return keyType === "ec"
    ? crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])
    : crypto.subtle.generateKey(
        {
          name: "RSASSA-PKCS1-v1_5",
          hash: "SHA-256",
          modulusLength: 2048,
          publicExponent: new Uint8Array([1, 0, 1]),
        },
        true,
        ["sign", "verify"],
      );
}

/** How a key made elsewhere (openssl, kubeadm) is taken into WebCrypto. */
function importAlgorithm(key: KeyObject): webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const namedCurve = CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? "");
  if (namedCurve === undefined) {
    throw new PkiError("bad_authority", "the authority's key must be RSA, or ECDSA on P-256, P-384 or P-521");
  }
  return { name: "ECDSA", namedCurve };
}

const CURVES: ReadonlyMap<string, string> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);

function signingAlgorithm(key: webcrypto.CryptoKey): webcrypto.EcdsaParams {
  return { name: key.algorithm.name, hash: "SHA-256" };
}

/** 126 random bits; never negative, never with a leading zero octet (RFC 5280 §4.1.2.2). */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function pem(certificate: X509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

function privatePem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
}

function oneLine(subject: string): string {
  return subject.split("\n").join(", ");
}

/** Loaded only when a certificate is made: it takes 200 ms, and a gate that runs never needs it. */
async function library(): Promise<typeof X509> {
  await import("./reflect.ts");
  return import("@peculiar/x509");
}
