import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { type Authority, createAuthority, type Issued, issueServerCertificate } from "../../src/pki/index.ts";
import { mastersGroup, type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import type { Folder } from "./folder.ts";

/** The token that every test sandbox takes for an administrator's. */
export const ADMIN_TOKEN = "admin-token";

/** A private CA with its certificate in a file. */
export interface TestCa extends Authority {
  /** Path of its certificate. */
  readonly file: string;
}

export async function makeCa(folder: Folder, commonName: string): Promise<TestCa> {
  const authority = await createAuthority({ commonName });
  const file = await folder.write(`${commonName.replaceAll(" ", "-")}.crt`, authority.certificatePem);
  return { ...authority, file };
}

/** A server certificate that has ended twenty days ago. */
export function issueExpired(ca: Authority, hosts: readonly string[]): Promise<Issued> {
  const dayMs = 24 * 60 * 60 * 1000;
  return issueServerCertificate(ca, { hosts, notBefore: new Date(Date.now() - 40 * dayMs), days: 20 });
}

/** As people made them before subjectAltName was asked for; our own pki makes none such, so openssl must. */
export async function issueWithoutNames(folder: Folder, ca: TestCa, commonName: string): Promise<Issued> {
  const key = folder.file(`${commonName}-cn.key`);
  const request = folder.file(`${commonName}-cn.csr`);
  const certificate = folder.file(`${commonName}-cn.crt`);
  const caKey = await folder.write(`${commonName}-cn-ca.key`, ca.keyPem);
  const openssl = (...args: string[]) => {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", ...newKey, "-keyout", key, "-out", request, "-subj", `/CN=${commonName}`);
  openssl(
    ...["x509", "-req", "-in", request, "-CA", ca.file, "-CAkey", caKey, "-set_serial", "7"],
    ...["-days", "300", "-out", certificate],
  );
  return { certificatePem: await readFile(certificate, "utf8"), keyPem: await readFile(key, "utf8") };
}

/** A Kubernetes API that shows this certificate. */
export function startApi(issued: Issued, ca: Authority, port = 0): Promise<Sandbox> {
  return startSandbox({
    port,
    tls: { cert: issued.certificatePem, key: issued.keyPem },
    ca: ca.certificatePem,
    logIntervalMs: 0,
    tokens: { [ADMIN_TOKEN]: { name: "admin", groups: [mastersGroup] } },
  });
}
