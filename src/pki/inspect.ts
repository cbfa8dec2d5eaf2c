import type { X509Certificate } from "node:crypto";
import { type CertificateFacts, certificateFacts } from "./certificate.ts";
import { judgeChain, readCertificates } from "./chain.ts";
import { readText } from "./files.ts";
import type { Finding } from "./finding.ts";
import { judgeCertificate, type Purpose, usageOf } from "./judge.ts";
import { foreignKey, openKey } from "./keys.ts";
import { keyBlock, type PemBlock, pemBlocks } from "./pem.ts";

/** What a PEM file holds, looked at without the wish to use it: a certificate without a key is no fault. */
export interface Inspection {
  /** The first is the leaf; empty when there is none to show. */
  readonly certificates: readonly CertificateFacts[];
  /** The private key in the file, held against the first certificate; `unusable`: encrypted or damaged. */
  readonly key: "belongs" | "foreign" | "none" | "unusable";
  readonly findings: readonly Finding[];
}

export function inspectCertificates(path: string, now: Date = new Date()): Inspection {
  const read = readText(path);
  if (read.kind !== "text") return { certificates: [], key: "none", findings: [read.finding] };
  const blocks = pemBlocks(read.text);
  const { certificates, findings } = readCertificates(
    path,
    blocks,
    read.text,
    "give a file with a certificate",
  );
  const [leaf, ...chain] = certificates;
  if (leaf === undefined) return { certificates: [], key: "none", findings };
  const facts = certificateFacts(leaf);
  const key = inspectKey(path, keyBlock(blocks), read.mode, certificates);
  const purpose = purposeOf(facts, key.state);
  return {
    certificates: certificates.map(certificateFacts),
    key: key.state,
    findings: [
      ...findings,
      ...key.findings,
      ...judgeCertificate(facts, { path, purpose, now }),
      ...(purpose === "authority" ? [] : judgeChain(path, leaf, chain, now)),
    ],
  };
}

function inspectKey(
  path: string,
  block: PemBlock | undefined,
  mode: number,
  [leaf, ...chain]: readonly X509Certificate[],
): { readonly state: Inspection["key"]; readonly findings: readonly Finding[] } {
  if (block === undefined || leaf === undefined) return { state: "none", findings: [] };
  const { key, findings } = openKey(path, block, mode);
  if (key === undefined) return { state: "unusable", findings };
  if (leaf.checkPrivateKey(key)) return { state: "belongs", findings };
  return { state: "foreign", findings: [...findings, foreignKey(path, key, leaf, chain)] };
}

/** A CA's certificate names no host, and need not; beside a key it is meant to be shown by a gate, as the recipe's. */
function purposeOf(facts: CertificateFacts, key: Inspection["key"]): Purpose {
  if (facts.ca && key === "none") return "authority";
  return usageOf(facts) === "client" ? "client" : "server";
}
