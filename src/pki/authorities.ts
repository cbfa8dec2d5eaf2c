import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { FileReference } from "../model/index.ts";
import { type CertificateFacts, certificateFacts, shortName } from "./certificate.ts";
import { isFile, listFolder, readText } from "./files.ts";
import { error, type Finding, warning } from "./finding.ts";
import { day } from "./judge.ts";
import { certificateBlocks, keyBlock, pemBlocks, whyNoPem } from "./pem.ts";

/** Whom the gate trusts on one leg. */
export interface Authorities {
  readonly pems: readonly string[];
  /** Their full subjects on one line each, for messages. */
  readonly names: readonly string[];
  /** The file or folder they were read from. */
  readonly path: string;
  /** The machine's own trust store; too many to name. */
  readonly system: boolean;
}

export interface AuthoritiesRead {
  /** Undefined when an error stands in the way. */
  readonly authorities?: Authorities;
  readonly findings: readonly Finding[];
  readonly files: readonly string[];
}

/** Where distributions keep their roots: Debian, Fedora and RHEL, Alpine. */
const SYSTEM_STORES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** What HAProxy 2.6 loads of a folder (manual §5.1 `ca-file`), its `.crl` aside. */
const CA_FILE = /\.(pem|crt|cer)$/;

/**
 * Reads certificates of authorities (HAProxy manual §5.1 `ca-file`): a PEM file, a folder of them, or the machine's own
 * trust store.
 */
export function readAuthorities(
  ca: Pick<FileReference, "path"> | "system",
  now: Date = new Date(),
): AuthoritiesRead {
  if (ca === "system" || ca.path === "@system-ca") return systemAuthorities();
  const files = caFiles(ca.path);
  if (files.length === 0) {
    return {
      findings: [error(`there is no .pem, .crt or .cer file in the folder ${ca.path}`)],
      files: [ca.path],
    };
  }
  const read = files.map(readCaFile);
  const certificates = read.flatMap((file) => file.certificates);
  const findings = [
    ...read.flatMap((file) => file.findings),
    ...judgeAuthorities(ca.path, certificates, now),
  ];
  if (findings.some(({ severity }) => severity === "error")) return { findings, files };
  const facts = certificates.map(certificateFacts);
  return {
    authorities: {
      pems: certificates.map((certificate) => certificate.toString()),
      names: [...new Set(facts.map(({ subject }) => subject))],
      path: ca.path,
      system: false,
    },
    findings,
    files,
  };
}

function caFiles(path: string): readonly string[] {
  const names = listFolder(path);
  if (names === undefined) return [path];
  return names.filter((name) => CA_FILE.test(name)).map((name) => `${path.replace(/\/+$/, "")}/${name}`);
}

function readCaFile(path: string): { certificates: X509Certificate[]; findings: Finding[] } {
  const read = readText(path);
  if (read.kind !== "text") return { certificates: [], findings: [read.finding] };
  const blocks = pemBlocks(read.text);
  const pems = certificateBlocks(blocks);
  const findings: Finding[] = [];
  if (pems.length === 0) {
    const why = blocks.length === 0 ? `: ${whyNoPem(read.text)}` : "";
    findings.push(
      error(`there is no certificate in ${path}${why}`, "give the certificate of the CA, in PEM"),
    );
  }
  if (keyBlock(blocks) !== undefined) {
    findings.push(
      warning(
        `${path} holds a private key, which whoever trusts a CA does not need`,
        "keep only its certificates; keep the key elsewhere",
      ),
    );
  }
  const certificates = pems.flatMap((pem, index) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      findings.push(
        error(`certificate ${index + 1} of ${pems.length} in ${path} is damaged and cannot be read`),
      );
      return [];
    }
  });
  return { certificates, findings };
}

/** Why a verification against these would fail whatever the other side shows. */
function judgeAuthorities(path: string, certificates: readonly X509Certificate[], now: Date): Finding[] {
  const all = certificates.map((certificate) => ({ certificate, facts: certificateFacts(certificate) }));
  return all.flatMap(({ certificate, facts }) => {
    const name = shortName(facts);
    const expired =
      now > facts.notAfter
        ? [warning(`${name} in ${path} expired on ${day(facts.notAfter)}: it verifies nothing any more`)]
        : [];
    if (facts.selfSigned) return expired;
    const issuerIsThere = all.some(
      (other) => other.certificate !== certificate && certificate.checkIssued(other.certificate),
    );
    return [...expired, ...(issuerIsThere && facts.ca ? [] : [noRoot(path, name, facts)])];
  });
}

/** OpenSSL, and HAProxy with it, trusts a certificate only up to its self-signed root. */
function noRoot(path: string, name: string, facts: CertificateFacts): Finding {
  return facts.ca
    ? warning(
        `${name} in ${path} is an intermediate CA: nothing verifies without its root (${facts.issuer})`,
        "append the root's certificate to the file",
      )
    : warning(
        `${name} in ${path} is not a CA's certificate: nothing verifies by it`,
        `give the certificate of the CA that signed it (${facts.issuer})`,
      );
}

function systemAuthorities(): AuthoritiesRead {
  const path = SYSTEM_STORES.find(isFile);
  const read = path === undefined ? undefined : readText(path);
  if (path === undefined || read?.kind !== "text") {
    // A machine without a store of its own: the roots that Node.js brings along.
    const authorities = { pems: rootCertificates, names: [], path: "Node.js", system: true };
    return { authorities, findings: [], files: [] };
  }
  const authorities = { pems: certificateBlocks(pemBlocks(read.text)), names: [], path, system: true };
  return { authorities, findings: [], files: [path] };
}
