import type { KeyObject, X509Certificate } from "node:crypto";
import { normalServerName } from "../model/index.ts";

/** What is told of a certificate; none of it is secret. */
export interface CertificateFacts {
  /** The full subject on one line, the most specific part last: `C=US, CN=*`. */
  readonly subject: string;
  readonly issuer: string;
  readonly commonName: string | undefined;
  /** DNS subject alternative names, lower case; empty where clients of today find no name. */
  readonly names: readonly string[];
  /** IP subject alternative names, in their short form. */
  readonly addresses: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly selfSigned: boolean;
  readonly ca: boolean;
  /** `ECDSA P-256`, `RSA 2048 bits`, `Ed25519`. */
  readonly keyType: string;
  /** Bits of an RSA key; undefined for others. */
  readonly rsaBits: number | undefined;
  /** The hash its issuer signed, where it is known to be broken. */
  readonly brokenHash: "MD5" | "SHA-1" | undefined;
  /** Extended key usages as OIDs; undefined: for any purpose. */
  readonly usages: readonly string[] | undefined;
  /** SHA-256 of the whole certificate, as `openssl x509 -fingerprint -sha256` writes it. */
  readonly fingerprint: string;
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const alternatives = alternativeNames(certificate.subjectAltName);
  const { keyUsage } = certificate as { keyUsage?: readonly string[] }; // undefined at run time where there is none
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    commonName: commonName(certificate.subject),
    names: alternatives.flatMap(([kind, value]) => (kind === "DNS" ? [normalServerName(value)] : [])),
    addresses: alternatives.flatMap(([kind, value]) => (kind === "IP Address" ? [shortAddress(value)] : [])),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    selfSigned: certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey),
    ca: certificate.ca,
    keyType: keyWords(certificate.publicKey),
    rsaBits: rsaBits(certificate.publicKey),
    brokenHash: BROKEN_HASHES.get(signatureAlgorithm(certificate.raw)),
    usages: keyUsage,
    fingerprint: certificate.fingerprint256,
  };
}

/** The common name, or the whole subject where there is none: how messages call a certificate. */
export function shortName(facts: Pick<CertificateFacts, "commonName" | "subject">): string {
  return facts.commonName ?? (facts.subject === "" ? "(no subject)" : facts.subject);
}

/** The names by which HAProxy chooses a certificate: alternative names and common name alike. */
export function servedNames(facts: Pick<CertificateFacts, "commonName" | "names">): readonly string[] {
  const common = facts.commonName === undefined ? [] : [normalServerName(facts.commonName)];
  return [...new Set([...facts.names, ...common])];
}

/** Node writes one attribute a line, with RFC 2253 escapes. */
function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

function commonName(subject: string | undefined): string | undefined {
  const line = subject?.split("\n").findLast((attribute) => attribute.startsWith("CN="));
  return line?.slice(3).replace(/\\(.)/g, "$1");
}

/**
 * Node joins them with commas, and quotes as JSON a value that could be mistaken (`DNS:"a, DNS:b"`). Such a one is no
 * host name: it stays quoted, so that it matches nothing and cannot steer a terminal.
 */
function alternativeNames(text: string | undefined): (readonly [kind: string, value: string])[] {
  const parts = (text ?? "").matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g);
  return Array.from(parts, ([, kind, value]) => [kind!, value!]);
}

function shortAddress(address: string): string {
  if (!address.includes(":")) return address;
  return URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function rsaBits(key: KeyObject): number | undefined {
  return key.asymmetricKeyType?.startsWith("rsa") ? key.asymmetricKeyDetails?.modulusLength : undefined;
}

function keyWords(key: KeyObject): string {
  const type = key.asymmetricKeyType ?? "unknown";
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return `${type.toUpperCase()} ${modulusLength} bits`;
  if (namedCurve !== undefined) return `ECDSA ${CURVE_WORDS.get(namedCurve) ?? namedCurve}`;
  return type === "ed25519" ? "Ed25519" : type;
}

const CURVE_WORDS: ReadonlyMap<string, string> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);

/** Signature algorithms by the DER of their OID (RFC 3279 §2.2, RFC 4055 §5). */
const BROKEN_HASHES: ReadonlyMap<string, "MD5" | "SHA-1"> = new Map([
  ["2a864886f70d010104", "MD5"], // md5WithRSAEncryption
  ["2a864886f70d010105", "SHA-1"], // sha1WithRSAEncryption
  ["2a8648ce3d0401", "SHA-1"], // ecdsa-with-SHA1
  ["2a8648ce380403", "SHA-1"], // dsa-with-sha1
]);

/**
 * Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID … } … } (RFC 5280 §4.1).
 * Node gained a property for it in version 24 only.
 * @returns the OID's DER content in hex
 */
function signatureAlgorithm(der: Buffer): string {
  const outer = derElement(der, 0);
  const signed = derElement(der, outer.start);
  const algorithm = derElement(der, signed.end);
  const oid = derElement(der, algorithm.start);
  return der.toString("hex", oid.start, oid.end);
}

/** Where the content of the DER element at an offset stands. OpenSSL parsed it before us: it is well-formed. */
function derElement(der: Buffer, offset: number): { readonly start: number; readonly end: number } {
  const first = der.readUInt8(offset + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(offset + 2, lengthBytes);
  const start = offset + 2 + lengthBytes;
  return { start, end: start + length };
}
