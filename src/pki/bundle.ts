import type { KeyObject, X509Certificate } from "node:crypto";
import type { CertificateFile, Diagnostic } from "../model/index.ts";
import { type CertificateFacts, certificateFacts } from "./certificate.ts";
import { judgeChain, readCertificates } from "./chain.ts";
import { isFile, listFolder, readText } from "./files.ts";
import { type Finding, placed } from "./finding.ts";
import { judgeCertificate, type Purpose } from "./judge.ts";
import { foreignKey, readKey } from "./keys.ts";
import { pemBlocks } from "./pem.ts";

/** A certificate with the key that belongs to it. The key is a KeyObject: no log, dump or JSON shows it. */
export interface ServerCertificate extends CertificateFacts {
  readonly path: string;
  readonly leaf: X509Certificate;
  /** The leaf, then what the file has of its chain; PEM. */
  readonly chainPem: string;
  readonly key: KeyObject;
}

export interface BundleRead {
  /** Undefined when an error stands in the way. */
  readonly certificate?: ServerCertificate;
  readonly problems: readonly Diagnostic[];
  /** Every file that was opened. */
  readonly files: readonly string[];
}

/**
 * Reads one certificate with its chain and its key (HAProxy manual §5.1 `crt`): PEM blocks in any order, the first
 * certificate is the leaf; the key stands among them, or in `keyPath`, or beside as `PATH.key`.
 */
export function readBundle(
  file: CertificateFile,
  purpose: Purpose = "server",
  now: Date = new Date(),
): BundleRead {
  const read = readText(file.path);
  if (read.kind !== "text") {
    const mend = read.kind === "absent" && purpose === "server" && { hint: makeOne(file.path) };
    return { problems: placed([{ ...read.finding, ...mend }], file.at), files: [file.path] };
  }
  const blocks = pemBlocks(read.text);
  const leaves = readCertificates(file.path, blocks, read.text, BUNDLE);
  const foundKey = readKey(file, { blocks, mode: read.mode }, leaves.certificates[0]);
  const files = foundKey.path === undefined ? [file.path] : [file.path, foundKey.path];
  const findings = [...leaves.findings, ...foundKey.findings];
  const [leaf, ...chain] = leaves.certificates;
  if (leaf === undefined || foundKey.key === undefined || findings.some(isError)) {
    return { problems: placed(findings, file.at), files };
  }
  if (!leaf.checkPrivateKey(foundKey.key)) {
    findings.push(foreignKey(foundKey.path ?? file.path, foundKey.key, leaf, chain));
    return { problems: placed(findings, file.at), files };
  }
  const facts = certificateFacts(leaf);
  findings.push(
    ...judgeCertificate(facts, { path: file.path, purpose, now }),
    ...judgeChain(file.path, leaf, chain, now),
  );
  return {
    certificate: { ...facts, path: file.path, leaf, chainPem: pemOf([leaf, ...chain]), key: foundKey.key },
    problems: placed(findings, file.at),
    files,
  };
}

const BUNDLE = "the file needs the certificate, its chain and its private key, one PEM block after the other";

/**
 * The files that a `crt` stands for (HAProxy manual §5.1): itself; those of a folder, alphabetically; or where there is
 * no such file, `PATH.ecdsa` and `PATH.rsa`, of which the first is preferred.
 */
export function bundleFiles(file: CertificateFile): readonly CertificateFile[] {
  const names = listFolder(file.path);
  if (names !== undefined) {
    const folder = file.path.replace(/\/+$/, "");
    const bundles = names.filter((name) => !/\.(key|issuer|ocsp|sctl)$/.test(name));
    return bundles.map((name) => ({ path: `${folder}/${name}`, at: file.at }));
  }
  if (isFile(file.path)) return [file];
  const byKeyType = [".ecdsa", ".rsa"].map((suffix) => file.path + suffix).filter(isFile);
  return byKeyType.length === 0 ? [file] : byKeyType.map((path) => ({ path, at: file.at }));
}

function makeOne(path: string): string {
  return `make one: postern cert self-signed --host NAME --out ${path}`;
}

function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join("");
}

function isError(finding: Finding): boolean {
  return finding.severity === "error";
}
