import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** PEM texts of a small authority: what a sandbox and its clients need. Made by openssl, not by our own pki. */
export interface TestAuthority {
  readonly ca: string;
  readonly server: KeyPair;
  /** CN admin-by-certificate, O system:masters. */
  readonly admin: KeyPair;
}

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const subjects = {
  server: [
    "/CN=kube-apiserver",
    "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes\nextendedKeyUsage=serverAuth\n",
  ],
  admin: ["/O=system:masters/CN=admin-by-certificate", "extendedKeyUsage=clientAuth\n"],
} as const;

export function makeAuthority(name = "sandbox test CA"): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), "postern-test-tls-"));
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  try {
    const caExtensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
    openssl(
      ...[
        "req",
        "-x509",
        ...newKey,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-days",
        "2",
        "-subj",
        `/CN=${name}`,
      ],
      ...caExtensions.flatMap((extension) => ["-addext", extension]),
    );
    const issue = (file: keyof typeof subjects): KeyPair => {
      const [subject, extensions] = subjects[file];
      writeFileSync(join(folder, "extensions"), extensions);
      openssl("req", ...newKey, "-keyout", `${file}.key`, "-out", `${file}.csr`, "-subj", subject);
      openssl(
        ...["x509", "-req", "-in", `${file}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
        ...["-days", "2", "-extfile", "extensions", "-out", `${file}.crt`],
      );
      return { cert: read(`${file}.crt`), key: read(`${file}.key`) };
    };
    return { ca: read("ca.crt"), server: issue("server"), admin: issue("admin") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
