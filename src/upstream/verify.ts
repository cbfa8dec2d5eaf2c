import type { X509Certificate } from "node:crypto";
import type { ReasonCode } from "../events/index.ts";
import {
  alternativeNames,
  carriesName,
  listNames,
  printable,
  quoteName,
  sameName,
  sameOrganisation,
} from "./names.ts";
import type { ServerTrust } from "./trust.ts";

/** What a server's certificate must satisfy. */
export interface VerifyPolicy {
  readonly trust: ServerTrust;
  /** The name it must carry (DNS or IP); undefined: its chain is all that is asked (HAProxy manual §5.2 `verify`). */
  readonly name: string | undefined;
}

/** What a full handshake showed. */
export interface PeerFacts {
  /** OpenSSL's verdict on the chain; undefined: good. */
  readonly verifyCode: string | undefined;
  /** Undefined: none was seen, which is no pass. */
  readonly certificate: X509Certificate | undefined;
  /** `10.1.0.11:6443`, for messages. */
  readonly address: string;
}

export interface Trusted {
  readonly kind: "trusted";
  /** Wall clock, ms since 1970: while the server's certificate is valid. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

export interface Untrusted {
  readonly kind: "untrusted";
  readonly reason: ReasonCode;
  /** One line: what is wrong, who signed what, what to do. */
  readonly detail: string;
}

/**
 * Judges a server before a byte is written to it: chain, dates, then name.
 * @param nowMs  wall clock, ms since 1970
 */
export function judgeServer(peer: PeerFacts, policy: VerifyPolicy, nowMs: number): Trusted | Untrusted {
  const { certificate, verifyCode } = peer;
  if (policy.trust.verify === "none") {
    return { kind: "trusted", validFromMs: -Infinity, validUntilMs: Infinity };
  }
  if (certificate === undefined) {
    return untrusted("server_untrusted", `${peer.address} showed no certificate that could be verified`);
  }
  if (verifyCode !== undefined) return judgeChain(verifyCode, certificate, peer, policy.trust, nowMs);
  // Of the rest of what it sent OpenSSL may have needed nothing (a cross-signed root that expired is no fault).
  if (outOfDate(certificate, nowMs)) return judgeDates(certificate, peer.address, nowMs);
  if (policy.name !== undefined && !carriesName(certificate, policy.name)) {
    return wrongName(certificate, policy.name, peer.address);
  }
  return { kind: "trusted", validFromMs: startOf(certificate), validUntilMs: endOf(certificate) };
}

/** OpenSSL's codes: openssl-verification-options(1), x509_vfy.h. */
function judgeChain(
  code: string,
  certificate: X509Certificate,
  peer: PeerFacts,
  trust: ServerTrust,
  nowMs: number,
): Untrusted {
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID": {
      const link = sentChain(certificate).find((sent) => outOfDate(sent, nowMs));
      return link === undefined
        ? authorityDates(code, peer.address, trust)
        : judgeDates(link, peer.address, nowMs);
    }
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return selfSigned(certificate, peer.address, trust);
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_SIGNATURE_FAILURE":
    case "CERT_UNTRUSTED":
      return unknownIssuer(code, certificate, peer.address, trust);
    case "INVALID_PURPOSE":
      return untrusted(
        "server_untrusted",
        `the certificate of ${peer.address} (${quoteName(certificate.subject)}) or one above it may not be used ` +
          `by a server: its extended key usage lacks serverAuth; have the server certificate issued again`,
      );
    default:
      return untrusted(
        "server_untrusted",
        `the certificate chain of ${peer.address} (${quoteName(certificate.subject)}, issued by ` +
          `${quoteName(certificate.issuer)}) is refused by OpenSSL: ${printable(code)}; authority: ${authority(trust)}`,
      );
  }
}

function judgeDates(link: X509Certificate, address: string, nowMs: number): Untrusted {
  const whose = `the certificate ${quoteName(link.subject)} of ${address}`;
  if (endOf(link) < nowMs) {
    return untrusted(
      "server_expired",
      `${whose} expired on ${day(endOf(link))}: renew it on the server (kubeadm certs renew) and restart the API server`,
    );
  }
  return untrusted(
    "server_not_yet_valid",
    `${whose} is not valid before ${day(startOf(link))}, and here it is ${day(nowMs)}: compare the clocks of both machines`,
  );
}

/** None of the certificates that were sent is out of its time, so it is one of our own file. */
function authorityDates(code: string, address: string, trust: ServerTrust): Untrusted {
  return code === "CERT_HAS_EXPIRED"
    ? untrusted(
        "server_expired",
        `the authority that signed the certificate of ${address} has itself expired: ${authority(trust)}; renew it`,
      )
    : untrusted(
        "server_not_yet_valid",
        `the authority that signed the certificate of ${address} is not valid yet: ${authority(trust)}; ` +
          `compare the clocks of both machines`,
      );
}

function selfSigned(certificate: X509Certificate, address: string, trust: ServerTrust): Untrusted {
  return untrusted(
    "server_untrusted",
    `the certificate of ${address} (${quoteName(certificate.subject)}) is self-signed, not signed by the configured ` +
      `authority ${authority(trust)}: if it is the API server's own, use it as ca-file; else find out who answers there`,
  );
}

/**
 * No way leads from the server's certificate to our authority. Which of the two it is, another authority or an
 * intermediate certificate that was not sent, can be read only from names; where it may be either, both are said.
 */
function unknownIssuer(
  code: string,
  certificate: X509Certificate,
  address: string,
  trust: ServerTrust,
): Untrusted {
  const chain = sentChain(certificate);
  const top = chain.at(-1) ?? certificate;
  const issuer = quoteName(top.issuer);
  const whose = `the certificate of ${address} (${quoteName(certificate.subject)})`;
  if (trust.caNames.some((name) => sameName(name, top.issuer))) {
    return untrusted(
      "server_untrusted",
      `${whose} is signed by another key of an authority with the same name, ${issuer}, than the one in ` +
        `${authority(trust)}: the authority was made anew; take its present certificate as ca-file`,
    );
  }
  const selfMade = code === "SELF_SIGNED_CERT_IN_CHAIN";
  const related =
    top.infoAccess?.includes("CA Issuers") ||
    trust.caNames.some((name) => sameOrganisation(name, top.issuer));
  if (!selfMade && related) {
    return untrusted(
      "server_untrusted",
      `the certificate chain of ${address} is incomplete: ${quoteName(top.subject)} is signed by ${issuer}, which the ` +
        `server does not send and the configured authority ${authority(trust)} does not include: let the server send ` +
        `that intermediate certificate, or add it to the ca-file`,
    );
  }
  const orElse =
    !selfMade && chain.length === 1
      ? `, or, if ${issuer} is an intermediate of it, let the server send it`
      : "";
  return untrusted(
    "server_untrusted",
    `${whose} is not signed by the configured authority ${authority(trust)} but by another one, ${issuer}: ` +
      `use that authority's certificate as ca-file${orElse}`,
  );
}

function wrongName(certificate: X509Certificate, name: string, address: string): Untrusted {
  const names = alternativeNames(certificate);
  if (names.length === 0) {
    return untrusted(
      "server_no_san",
      `the certificate of ${address} has a common name only (${quoteName(certificate.subject)}), no subject ` +
        `alternative names, so it cannot be verified as "${printable(name)}": have it issued with subjectAltName`,
    );
  }
  return untrusted(
    "server_wrong_name",
    `the certificate of ${address} is not for "${printable(name)}" but for ${listNames(names)}: ` +
      `set verifyhost to one of these if this is the right server`,
  );
}

function untrusted(reason: ReasonCode, detail: string): Untrusted {
  return { kind: "untrusted", reason, detail };
}

/** `"CN=house ca" (/etc/ca.crt)`. */
function authority(trust: ServerTrust): string {
  if (trust.caPath === undefined) return "of this machine's trust store";
  const names = trust.caNames.slice(0, 3).map(quoteName).join(", ");
  const more = trust.caNames.length > 3 ? ` and ${trust.caNames.length - 3} more` : "";
  return names === "" ? trust.caPath : `${names}${more} (${trust.caPath})`;
}

/** The server's certificate and those above it that it sent. */
function sentChain(certificate: X509Certificate): X509Certificate[] {
  const chain = [certificate];
  // A root is its own issuer; more than ten links nobody sends in earnest.
  for (let link = certificate.issuerCertificate; link !== undefined && chain.length < 10; ) {
    if (chain.some((known) => known.fingerprint256 === link?.fingerprint256)) break;
    chain.push(link);
    link = link.issuerCertificate;
  }
  return chain;
}

function outOfDate(certificate: X509Certificate, nowMs: number): boolean {
  return endOf(certificate) < nowMs || startOf(certificate) > nowMs;
}

function startOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validFrom);
}

function endOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
