import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type Authority,
  bundlePem,
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  PkiError,
  selfSigned,
} from "./index.ts";

let directory: string;
let authority: Authority;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "postern-issue-"));
  authority = await createAuthority({ commonName: "Postern test CA" });
  writeFileSync(join(directory, "ca.crt"), authority.certificatePem);
});
after(() => rmSync(directory, { recursive: true }));

const hosts = ["kube.example.com", "*.apps.example.com", "10.1.0.11", "2001:db8::6"];

const leaves: { name: string; make: () => Promise<Issued>; purpose: string }[] = [
  {
    name: "an ECDSA server certificate",
    make: () => issueServerCertificate(authority, { hosts }),
    purpose: "sslserver",
  },
  {
    name: "an RSA server certificate",
    make: () => issueServerCertificate(authority, { hosts, keyType: "rsa" }),
    purpose: "sslserver",
  },
  {
    name: "a client certificate",
    make: () => issueClientCertificate(authority, { user: "jane", groups: ["dev", "ops"] }),
    purpose: "sslclient",
  },
];

for (const { name, make, purpose } of leaves) {
  test(`openssl verifies ${name} against its authority, strictly`, async () => {
    const { certificatePem, keyPem } = await make();
    const file = join(directory, "leaf.crt");
    writeFileSync(file, certificatePem);
    assert.match(
      openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", join(directory, "ca.crt"), file),
      /leaf\.crt: OK/,
    );
    assert.match(keyPem, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal(
      opensslIn(keyPem, "pkey", "-pubout"),
      opensslIn(certificatePem, "x509", "-noout", "-pubkey"),
    );
  });
}

test("a server certificate says what RFC 5280 and today's clients want of it", async () => {
  const { certificatePem } = await issueServerCertificate(authority, { hosts });
  const text = opensslIn(certificatePem, "x509", "-noout", "-text");
  assert.match(
    text,
    /DNS:kube\.example\.com, DNS:\*\.apps\.example\.com, IP Address:10\.1\.0\.11, IP Address:2001:DB8:0:0:0:0:0:6/,
  );
  assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
  assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
  assert.match(text, /Extended Key Usage: \s+TLS Web Server Authentication\n/);
  assert.match(text, /Public-Key: \(256 bit\)/);
  assert.match(text, /Subject: CN\s*=\s*kube\.example\.com\n/);
  const keyId = (label: string) => text.match(new RegExp(`${label}: \\s+([0-9A-F:]+)`))?.[1];
  const ca = opensslIn(authority.certificatePem, "x509", "-noout", "-text");
  assert.equal(keyId("Authority Key Identifier"), ca.match(/Subject Key Identifier: \s+([0-9A-F:]+)/)?.[1]);
  const { validFrom, validTo } = new X509Certificate(certificatePem);
  assert.equal((Date.parse(validTo) - Date.parse(validFrom)) / 86_400_000, 398);
});

test("an authority signs leaves only, and its leaves never outlive it", async () => {
  const text = opensslIn(authority.certificatePem, "x509", "-noout", "-text");
  assert.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  const brief = await createAuthority({ commonName: "brief", days: 3 });
  const leaf = new X509Certificate((await issueServerCertificate(brief, { hosts })).certificatePem);
  assert.equal(leaf.validTo, new X509Certificate(brief.certificatePem).validTo);
});

test("a client certificate carries user and groups where Kubernetes reads them", async () => {
  const issued = await issueClientCertificate(authority, { user: "jane, of ops", groups: ["dev", "ops"] });
  assert.equal(new X509Certificate(issued.certificatePem).subject, "O=dev\nO=ops\nCN=jane\\, of ops");
});

test("two certificates never share a serial number, which is positive and of 16 octets", async () => {
  const [a, b] = await Promise.all([selfSigned({ hosts }), selfSigned({ hosts })]);
  const serials = [a, b].map(({ certificatePem }) => new X509Certificate(certificatePem).serialNumber);
  assert.notEqual(serials[0], serials[1]);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
});

test("an authority that openssl made signs as well", async () => {
  for (const newkey of [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]]) {
    const [key, crt] = [join(directory, "o.key"), join(directory, "o.crt")];
    const subject = "/C=US/O=Übung/CN=openssl's CA";
    const request = ["req", "-x509", "-utf8", "-nodes", "-subj", subject, "-keyout", key, "-out", crt];
    openssl(...request, "-newkey", ...newkey);
    const foreign = { certificatePem: openssl("x509", "-in", crt), keyPem: openssl("pkey", "-in", key) };
    const leaf = join(directory, "o-leaf.crt");
    writeFileSync(leaf, (await issueServerCertificate(foreign, { hosts })).certificatePem);
    assert.match(openssl("verify", "-CAfile", crt, leaf), /OK/);
  }
});

test("curl verifies a self-signed certificate that it was given as its CA, by name and by address", async () => {
  const issued = await selfSigned({ hosts: ["localhost", "127.0.0.1"], keyType: "rsa" });
  const ca = join(directory, "self.crt");
  writeFileSync(ca, issued.certificatePem);
  const bundle = bundlePem(issued);
  const server = createServer({ cert: bundle, key: bundle }, (_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    for (const host of ["localhost", "127.0.0.1"]) {
      assert.equal(await curl("--cacert", ca, `https://${host}:${port}/`), "hello");
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

const refused: { name: string; hosts: string[]; days?: number; message: RegExp }[] = [
  { name: "a lone star", hosts: ["*"], message: /names no host/ },
  { name: "no host at all", hosts: [], message: /at least one/ },
  { name: "a URL", hosts: ["https://a.example.com"], message: /neither a host name/ },
  { name: "a name with a port", hosts: ["a.example.com:6443"], message: /neither a host name/ },
  { name: "a star inside a label", hosts: ["a*.example.com"], message: /neither a host name/ },
  { name: "a star as the second label", hosts: ["a.*.example.com"], message: /neither a host name/ },
  { name: "a name with a space", hosts: ["a b"], message: /neither a host name/ },
  { name: "an empty label", hosts: ["a..b"], message: /neither a host name/ },
  { name: "no day of validity", hosts: ["a"], days: 0, message: /1 to 36500 days/ },
  { name: "half a day", hosts: ["a"], days: 0.5, message: /1 to 36500 days/ },
];

for (const { name, message, ...request } of refused) {
  test(`refuses to make a certificate for ${name}`, async () => {
    await assert.rejects(
      selfSigned(request),
      (error) => error instanceof PkiError && message.test(error.message),
    );
  });
}

test("refuses an authority whose key is another's, and a leaf as authority", async () => {
  const other = await createAuthority({ commonName: "other" });
  const mixed = { certificatePem: authority.certificatePem, keyPem: other.keyPem };
  await assert.rejects(issueServerCertificate(mixed, { hosts }), { code: "bad_authority" });
  const leaf = await selfSigned({ hosts });
  await assert.rejects(issueServerCertificate(leaf, { hosts }), { code: "bad_authority" });
});

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function opensslIn(input: string, ...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", input });
}

async function curl(...args: string[]): Promise<string> {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)("curl", ["-sS", "--noproxy", "*", ...args]);
  return stdout;
}
