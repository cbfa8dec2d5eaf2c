import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueServerCertificate } from "../../src/pki/index.ts";

/** A temporary folder of one test. */
export interface Folder {
  readonly path: string;
  file(name: string): string;
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "postern-test-"));
  const file = (name: string) => join(path, name);
  return {
    path,
    file,
    async write(name, text) {
      await writeFile(file(name), text, { mode: 0o600 });
      return file(name);
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** A private CA and a server certificate of it, written as NAME-ca.crt, NAME.crt, NAME.key and NAME.pem (bundle). */
export async function writeCertificates(folder: Folder, name: string, hosts: readonly string[]) {
  const authority = await createAuthority({ commonName: `${name} CA` });
  const leaf = await issueServerCertificate(authority, { hosts });
  return {
    authority,
    ca: await folder.write(`${name}-ca.crt`, authority.certificatePem),
    certificate: await folder.write(`${name}.crt`, leaf.certificatePem),
    key: await folder.write(`${name}.key`, leaf.keyPem),
    bundle: await folder.write(`${name}.pem`, leaf.certificatePem + leaf.keyPem),
    caPem: authority.certificatePem,
    certificatePem: leaf.certificatePem,
    keyPem: leaf.keyPem,
  };
}
