import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { CertificateFile, Diagnostic } from "../model/index.ts";
import { type CertificateFacts, certificateFacts, shortName } from "./certificate.ts";
import { isFile, listFolder, readText } from "./files.ts";
import { error, type Finding, placed, warning } from "./finding.ts";
import { day, judgeCertificate, type Purpose } from "./judge.ts";
import { certificateBlocks, isEncrypted, keyBlock, type PemBlock, pemBlocks, whyNoPem } from "./pem.ts";

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
  const leaves = readCertificates(file.path, blocks, read.text);
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

function readCertificates(path: string, blocks: readonly PemBlock[], text: string) {
  const pems = certificateBlocks(blocks);
  const findings: Finding[] = [];
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
  if (pems.length === 0) {
    const why = blocks.length === 0 ? `: ${whyNoPem(text)}` : keyBlock(blocks) ? ", only a private key" : "";
    findings.push(
      error(
        `there is no certificate in ${path}${why}`,
        "the file needs the certificate, its chain and its private key, one PEM block after the other",
      ),
    );
  }
  return { certificates, findings };
}

interface KeyFound {
  readonly key?: KeyObject;
  /** The file it was looked for in, when it is not the bundle. */
  readonly path?: string;
  readonly findings: readonly Finding[];
}

function readKey(
  file: CertificateFile,
  bundle: { readonly blocks: readonly PemBlock[]; readonly mode: number },
  leaf: X509Certificate | undefined,
): KeyFound {
  const inside = keyBlock(bundle.blocks);
  if (file.keyPath === undefined && inside !== undefined) return openKey(file.path, inside, bundle.mode);
  if (leaf === undefined) return { findings: [] }; // what is wrong is told already
  const path = file.keyPath ?? `${file.path}.key`;
  const read = readText(path);
  if (read.kind === "unreadable") return { path, findings: [read.finding] };
  if (read.kind === "absent") {
    const message =
      file.keyPath === undefined
        ? `there is no private key in ${file.path}, nor a file ${path}`
        : read.finding.message;
    return { path, findings: [error(message, keyNearby(file.path, leaf))] };
  }
  const block = keyBlock(pemBlocks(read.text));
  if (block === undefined) return { path, findings: [error(`there is no private key in ${path}`)] };
  return { ...openKey(path, block, read.mode), path };
}

function openKey(path: string, block: PemBlock, mode: number): KeyFound {
  if (isEncrypted(block)) {
    return {
      findings: [
        error(
          `the private key in ${path} is encrypted, and there is nobody to ask for its passphrase`,
          `write it decrypted, readable by the gate only: (umask 077; openssl pkey -in ${path} -out NEW.key)`,
        ),
      ],
    };
  }
  try {
    return { key: createPrivateKey(block.text), findings: judgeMode(path, mode) };
  } catch {
    return {
      findings: [error(`the private key in ${path} is damaged or of a kind that OpenSSL does not know`)],
    };
  }
}

/** The group may read: that is how a key is given to the one user of a service. */
function judgeMode(path: string, mode: number): Finding[] {
  if ((mode & 0o007) === 0) return [];
  return [
    warning(`the private key in ${path} can be read by every user of this machine`, `chmod o= ${path}`),
  ];
}

/** HAProxy does not look at x.key for x.crt (unless `ssl-load-extra-del-ext`), but that is where many keys are. */
function keyNearby(path: string, leaf: X509Certificate): string {
  const beside = path.replace(/\.[^./]*$/, ".key");
  if (beside !== path && isFile(beside)) {
    const read = readText(beside);
    const block = read.kind === "text" ? keyBlock(pemBlocks(read.text)) : undefined;
    const key = block === undefined ? undefined : openKey(beside, block, 0o600).key;
    if (key !== undefined && leaf.checkPrivateKey(key)) {
      return `${beside} is its key: join them (cat ${path} ${beside}), or name it ${path}.key`;
    }
  }
  return "append its private key to the file";
}

function foreignKey(
  path: string,
  key: KeyObject,
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
): Finding {
  const name = shortName(certificateFacts(leaf));
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  const hint =
    owner < 0
      ? "put the key it was made with in its place"
      : `the key belongs to certificate ${owner + 2} of the file: that one must stand first`;
  return error(`the private key in ${path} does not belong to its certificate (${name})`, hint);
}

/** Clients follow the chain from the leaf up; what stands out of order is of no use to the strict ones. */
function judgeChain(
  path: string,
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
  now: Date,
): Finding[] {
  const findings: Finding[] = [];
  let below = leaf;
  for (const [index, certificate] of chain.entries()) {
    const { commonName, subject, notAfter } = certificateFacts(certificate);
    const name = shortName({ commonName, subject });
    if (!below.checkIssued(certificate)) {
      findings.push(
        warning(
          `certificate ${index + 2} in ${path} (${name}) did not sign the one before it: clients may not find the chain`,
          "order them from the server's own certificate up, each followed by the one that signed it",
        ),
      );
    }
    if (now > notAfter) findings.push(warning(`${name} in the chain in ${path} expired on ${day(notAfter)}`));
    below = certificate;
  }
  return findings;
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
