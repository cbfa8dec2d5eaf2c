import { X509Certificate } from "node:crypto";
import { certificateFacts, shortName } from "./certificate.ts";
import { error, type Finding, warning } from "./finding.ts";
import { day } from "./judge.ts";
import { certificateBlocks, keyBlock, type PemBlock, whyNoPem } from "./pem.ts";

export interface CertificatesRead {
  readonly certificates: readonly X509Certificate[];
  readonly findings: readonly Finding[];
}

/**
 * The certificates among the blocks of one file, in its order.
 * @param text    the whole file, to say why there is none
 * @param wanted  what the file needs to hold, for the hint
 */
export function readCertificates(
  path: string,
  blocks: readonly PemBlock[],
  text: string,
  wanted: string,
): CertificatesRead {
  const pems = certificateBlocks(blocks);
  if (pems.length === 0) {
    const why = blocks.length === 0 ? `: ${whyNoPem(text)}` : keyBlock(blocks) ? ", only a private key" : "";
    return { certificates: [], findings: [error(`there is no certificate in ${path}${why}`, wanted)] };
  }
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
  return { certificates, findings };
}

/** Clients follow the chain from the leaf up; what stands out of order is of no use to the strict ones. */
export function judgeChain(
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
