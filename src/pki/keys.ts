import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import type { CertificateFile } from "../model/index.ts";
import { certificateFacts, shortName } from "./certificate.ts";
import { isFile, readText } from "./files.ts";
import { error, type Finding, warning } from "./finding.ts";
import { isEncrypted, keyBlock, type PemBlock, pemBlocks } from "./pem.ts";

export interface KeyFound {
  readonly key?: KeyObject;
  /** The file it was looked for in, when it is not the bundle. */
  readonly path?: string;
  readonly findings: readonly Finding[];
}

export function readKey(
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

export function openKey(path: string, block: PemBlock, mode: number): KeyFound {
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

export function foreignKey(
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
