import type { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { FileReference } from "../model/index.ts";
import { type CertificateFacts, certificateFacts, shortName } from "./certificate.ts";
import { type CertificatesRead, readCertificates } from "./chain.ts";
import { isFile, listFolder, readText } from "./files.ts";
import { error, type Finding, warning } from "./finding.ts";
import { day } from "./judge.ts";
import { certificateBlocks, keyBlock, pemBlocks } from "./pem.ts";

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
  /** The files among them that hold a private key, too, of which nothing was taken. */
  readonly withKey: readonly string[];
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
      withKey: [],
    };
  }
  const read = files.map(readCaFile);
  const certificates = read.flatMap((file) => file.certificates);
  const findings = [
    ...read.flatMap((file) => file.findings),
    ...judgeAuthorities(ca.path, certificates, now),
  ];
  const withKey = read.flatMap((file) => file.withKey);
  if (findings.some(({ severity }) => severity === "error")) return { findings, files, withKey };
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
    withKey,
  };
}

function caFiles(path: string): readonly string[] {
  const names = listFolder(path);
  if (names === undefined) return [path];
  return names.filter((name) => CA_FILE.test(name)).map((name) => `${path.replace(/\/+$/, "")}/${name}`);
}

function readCaFile(path: string): CertificatesRead & Pick<AuthoritiesRead, "withKey"> {
  const read = readText(path);
  if (read.kind !== "text") return { certificates: [], findings: [read.finding], withKey: [] };
  const blocks = pemBlocks(read.text);
  const wanted = "give the certificate of the CA, in PEM";
  return {
    ...readCertificates(path, blocks, read.text, wanted),
    withKey: keyBlock(blocks) === undefined ? [] : [path],
  };
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
    return { authorities, findings: [], files: [], withKey: [] };
  }
  const authorities = { pems: certificateBlocks(pemBlocks(read.text)), names: [], path, system: true };
  return { authorities, findings: [], files: [path], withKey: [] };
}
