import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { formatDiagnostic } from "../model/index.ts";
import {
  bundleFiles,
  bundlePem,
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  readBundle,
  selfSigned,
} from "./index.ts";
import { AT, openssl, opensslIn, recipeBundle, scratch } from "./testing.ts";

const folder = scratch();
let good: Issued;
let other: Issued;
let ca: Issued;

before(async () => {
  ca = await createAuthority({ commonName: "house CA" });
  good = await issueServerCertificate(ca, { hosts: ["kube.example.com", "10.1.0.11"] });
  other = await selfSigned({ hosts: ["other.example.com"], keyType: "rsa" });
});

/** Problems of one file as a person sees them, its folder left out. */
function problemsOf(name: string, now?: Date): string[] {
  const { problems } = readBundle({ path: join(folder.path, name), at: AT }, "server", now);
  return problems.map((problem) => {
    const text = formatDiagnostic(problem).replaceAll(`${folder.path}/`, "");
    assert.ok(text.startsWith("haproxy.cfg:7:30: "));
    return text.slice("haproxy.cfg:7:30: ".length);
  });
}

const sound: { name: string; parts: () => string[] }[] = [
  { name: "certificate, then key", parts: () => [good.certificatePem, good.keyPem] },
  { name: "key, then certificate", parts: () => [good.keyPem, good.certificatePem] },
  { name: "certificate, chain, key", parts: () => [good.certificatePem, ca.certificatePem, good.keyPem] },
  { name: "certificate, key, chain", parts: () => [good.certificatePem, good.keyPem, ca.certificatePem] },
  {
    name: "prose and CRLF around the blocks",
    parts: () => [
      "Subject: my gate é\r\n",
      good.certificatePem.replaceAll("\n", "\r\n"),
      "\r\n",
      good.keyPem,
    ],
  },
  {
    name: "an EC PARAMETERS block and a key in its old form, as openssl ecparam writes them",
    parts: () => [
      good.certificatePem,
      openssl("ecparam", "-name", "prime256v1"),
      opensslIn(good.keyPem, "pkey", "-traditional"),
    ],
  },
];

for (const { name, parts } of sound) {
  test(`a bundle may stand in the order: ${name}`, () => {
    const path = folder.write("sound.pem", parts().join(""));
    const { certificate, problems } = readBundle({ path, at: AT });
    assert.deepEqual(problems, []);
    assert.equal(certificate?.commonName, "kube.example.com");
    assert.deepEqual(certificate.names, ["kube.example.com"]);
    assert.deepEqual(certificate.addresses, ["10.1.0.11"]);
    assert.equal(certificate.issuer, "CN=house CA");
    assert.equal(certificate.keyType, "ECDSA P-256");
    assert.ok(certificate.chainPem.startsWith(good.certificatePem.trimEnd()));
  });
}

test("the key may stand beside the bundle as PATH.key, as HAProxy looks for it, or where keyPath says", () => {
  const path = folder.write("apart.crt", good.certificatePem, 0o644);
  folder.write("apart.crt.key", good.keyPem);
  const beside = readBundle({ path, at: AT });
  assert.deepEqual(beside.problems, []);
  assert.deepEqual(beside.files, [path, `${path}.key`]);
  const keyPath = folder.write("elsewhere.pem", good.keyPem);
  const named = readBundle({ path: folder.write("named.crt", good.certificatePem), keyPath, at: AT });
  assert.deepEqual(named.problems, []);
  assert.ok(named.certificate);
});

test("the key is opaque: neither inspect nor JSON shows a byte of it", () => {
  const path = folder.write("opaque.pem", bundlePem(good));
  const { certificate } = readBundle({ path, at: AT });
  const secret = good.keyPem.split("\n")[1]!.slice(20, 60);
  assert.ok(certificate);
  assert.ok(!inspect(certificate, { depth: Infinity, showHidden: true }).includes(secret));
  assert.ok(!JSON.stringify(certificate).includes(secret));
});

interface Broken {
  readonly name: string;
  readonly text: () => string | Buffer;
  /** The lines told. */
  readonly told: RegExp[];
  /** Whether HAProxy, given the same file, refuses to start. */
  readonly haproxyRefuses: boolean;
}

const broken: Broken[] = [
  {
    name: "an empty file",
    text: () => "",
    told: [/^error: there is no certificate in broken\.pem: it is empty\n {4}the file needs/],
    haproxyRefuses: true,
  },
  {
    name: "text that is no PEM",
    text: () => "hello\n",
    told: [
      /^error: there is no certificate in broken\.pem: it is not PEM: no line "-----BEGIN CERTIFICATE-----"\n/,
    ],
    haproxyRefuses: true,
  },
  {
    name: "a binary certificate",
    text: () => Buffer.from(good.certificatePem.replace(/-----.*-----|\n/g, ""), "base64"),
    told: [
      /^error: there is no certificate in broken\.pem: it is binary \(DER or PKCS#12\), PEM is needed\n/,
    ],
    haproxyRefuses: true,
  },
  {
    name: "a certificate cut off in the middle",
    text: () => good.certificatePem.slice(0, 300),
    told: [/^error: there is no certificate in broken\.pem: it is cut off or damaged/],
    haproxyRefuses: true,
  },
  {
    name: "a damaged certificate",
    text: () => good.certificatePem.replace(/\n.{10}/, "\nAAAAAAAAAA") + good.keyPem,
    told: [/^error: certificate 1 of 1 in broken\.pem is damaged and cannot be read$/],
    haproxyRefuses: true,
  },
  {
    name: "a key without certificate",
    text: () => good.keyPem,
    told: [/^error: there is no certificate in broken\.pem, only a private key\n/],
    haproxyRefuses: true,
  },
  {
    name: "a certificate without key",
    text: () => good.certificatePem,
    told: [
      /^error: there is no private key in broken\.pem, nor a file broken\.pem\.key\n {4}append its private key to the file$/,
    ],
    haproxyRefuses: true,
  },
  {
    name: "a key that belongs to another certificate",
    text: () => good.certificatePem + other.keyPem,
    told: [
      /^error: the private key in broken\.pem does not belong to its certificate \(kube\.example\.com\)\n {4}put the key it was made with/,
    ],
    haproxyRefuses: true,
  },
  {
    name: "the CA's certificate before the server's",
    text: () => ca.certificatePem + good.certificatePem + good.keyPem,
    told: [
      /^error: the private key in broken\.pem does not belong to its certificate \(house CA\)\n {4}the key belongs to certificate 2 of the file: that one must stand first$/,
    ],
    haproxyRefuses: true,
  },
  {
    name: "an encrypted key (PKCS#8)",
    text: () => good.certificatePem + opensslIn(good.keyPem, "pkey", "-aes256", "-passout", "pass:secret"),
    told: [/^error: the private key in broken\.pem is encrypted.*\n {4}write it decrypted/],
    haproxyRefuses: true,
  },
  {
    name: "an encrypted key (traditional)",
    text: () => {
      const old = ["pkey", "-traditional", "-aes128", "-passout", "pass:secret"];
      return other.certificatePem + opensslIn(other.keyPem, ...old);
    },
    told: [/^error: the private key in broken\.pem is encrypted/],
    haproxyRefuses: true,
  },
  {
    name: "a damaged key",
    text: () => good.certificatePem + good.keyPem.replace(/\n.{10}/, "\nAAAAAAAAAA"),
    told: [/^error: the private key in broken\.pem is damaged or of a kind/],
    haproxyRefuses: true,
  },
  {
    name: "a chain that does not fit",
    text: () => good.certificatePem + other.certificatePem + good.keyPem,
    told: [
      /^warning: certificate 2 in broken\.pem \(other\.example\.com\) did not sign the one before it: .*\n {4}order them/,
    ],
    haproxyRefuses: false,
  },
  {
    name: "the recipe's certificate: CN=*, SHA-1",
    text: () => recipeBundle(),
    told: [
      /^warning: the certificate in broken\.pem names its host only as CN=\*, without subject alternative names: kubectl and today's other clients refuse it even when they trust it\n {4}make one that names its hosts: postern cert self-signed --host NAME/,
      /^warning: the certificate in broken\.pem is signed with SHA-1, which is broken/,
    ],
    haproxyRefuses: false,
  },
];

for (const { name, text, told, haproxyRefuses } of broken) {
  test(`says what is wrong with ${name}`, () => {
    const path = folder.write("broken.pem", text());
    const problems = problemsOf("broken.pem");
    assert.equal(problems.length, told.length, problems.join("\n"));
    for (const [index, expected] of told.entries()) assert.match(problems[index]!, expected);
    const { certificate } = readBundle({ path, at: AT });
    assert.equal(certificate === undefined, haproxyRefuses);
    assert.equal(haproxyStarts(path), !haproxyRefuses);
  });
}

test("a file that is missing, a folder or not ours to read is told apart", () => {
  assert.match(
    problemsOf("absent.pem")[0]!,
    /^error: there is no file absent\.pem\n {4}make one: postern cert self-signed --host NAME --out absent\.pem$/,
  );
  const relative = readBundle({ path: "no-such-folder/x.pem", at: AT }).problems[0];
  assert.equal(relative?.message, `there is no file no-such-folder/x.pem in ${process.cwd()}`);
  mkdirSync(join(folder.path, "folder.pem"));
  assert.deepEqual(problemsOf("folder.pem"), ["error: folder.pem is a folder, a PEM file is needed"]);
  chmodSync(folder.write("closed.pem", bundlePem(good)), 0);
  const closed = problemsOf("closed.pem");
  if (process.getuid?.() === 0)
    assert.deepEqual(closed, []); // root reads everything
  else assert.match(closed[0]!, /^error: closed\.pem may not be read by this user\n {4}chown or chgrp/);
});

test("x.key beside x.crt is not taken, as HAProxy does not take it, but the hint knows it", () => {
  folder.write("near.crt", good.certificatePem);
  folder.write("near.key", good.keyPem);
  assert.deepEqual(problemsOf("near.crt"), [
    "error: there is no private key in near.crt, nor a file near.crt.key\n" +
      "    near.key is its key: join them (cat near.crt near.key), or name it near.crt.key",
  ]);
  assert.equal(haproxyStarts(join(folder.path, "near.crt")), false);
});

test("a key that others can read is a warning, one that its group can read is none", () => {
  folder.write("open.pem", bundlePem(good), 0o644);
  assert.deepEqual(problemsOf("open.pem"), [
    "warning: the private key in open.pem can be read by every user of this machine\n    chmod o= open.pem",
  ]);
  chmodSync(join(folder.path, "open.pem"), 0o640);
  assert.deepEqual(problemsOf("open.pem"), []);
});

const dates: { name: string; now: string; told: RegExp }[] = [
  {
    name: "expired",
    now: "2030-03-05T12:00:00Z",
    told: /^warning: the certificate in dated\.pem expired on 2030-03-02 \(3 days ago\): who verifies refuses it\n {4}put a renewed/,
  },
  {
    name: "not yet valid",
    now: "2030-01-01T12:00:00Z",
    told: /^warning: the certificate in dated\.pem is not valid before 2030-02-01 00:00:00Z: .*\n {4}this machine's clock says 2030-01-01 12:00:00Z; is it right\?$/,
  },
  {
    name: "near its end",
    now: "2030-02-28T06:00:00Z",
    told: /^warning: the certificate in dated\.pem expires on 2030-03-02 \(1 day left\)\n/,
  },
];

for (const { name, now, told } of dates) {
  test(`warns of a certificate that is ${name}`, async () => {
    const notBefore = new Date("2030-02-01T00:00:00Z");
    const dated = await selfSigned({ hosts: ["a.example.com"], days: 29, notBefore });
    folder.write("dated.pem", bundlePem(dated));
    const problems = problemsOf("dated.pem", new Date(now));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, told);
    assert.deepEqual(problemsOf("dated.pem", new Date("2030-02-10T00:00:00Z")), []);
  });
}

test("warns of a client's certificate on a bind, and takes it where the gate itself is the client", async () => {
  const path = folder.write("client.pem", bundlePem(await issueClientCertificate(ca, { user: "gate" })));
  const asServer = readBundle({ path, at: AT }).problems.map(({ message }) => message);
  assert.match(asServer.join("\n"), /may not be used for server authentication \(it is one for client/);
  assert.deepEqual(readBundle({ path, at: AT }, "client").problems, []);
});

test("warns of an RSA key below 2048 bits", () => {
  const small = ["-newkey", "rsa:1024", "-addext", "subjectAltName=DNS:a.example.com", "-subj", "/CN=a"];
  const path = folder.write("small.pem", openssl("req", "-x509", "-nodes", ...small, "-keyout", "-"));
  const problems = readBundle({ path, at: AT }).problems.map(({ message }) => message);
  assert.deepEqual(problems, [
    `the certificate in ${path} has an RSA key of 1024 bits: clients refuse less than 2048`,
  ]);
});

test("a folder stands for its files by name, without dotfiles, keys, .issuer, .ocsp and .sctl", () => {
  const path = join(folder.path, "crt.d");
  mkdirSync(join(path, "sub"), { recursive: true });
  for (const name of ["b.pem", "a.pem", "Z.pem", ".hidden", "a.pem.key", "x.issuer", "x.ocsp", "x.sctl"]) {
    folder.write(`crt.d/${name}`, "");
  }
  const names = bundleFiles({ path: `${path}/`, at: AT }).map((file) => file.path.slice(path.length + 1));
  assert.deepEqual(names, ["Z.pem", "a.pem", "b.pem"]);
});

test("where there is no such file, PATH.ecdsa and PATH.rsa stand for it", () => {
  const path = join(folder.path, "both.pem");
  folder.write("both.pem.rsa", "");
  folder.write("both.pem.ecdsa", "");
  assert.deepEqual(bundleFiles({ path, at: AT }), [
    { path: `${path}.ecdsa`, at: AT },
    { path: `${path}.rsa`, at: AT },
  ]);
});

/** HAProxy's own opinion of a `crt`. */
function haproxyStarts(crt: string): boolean {
  const config = folder.write(
    "peer.cfg",
    `defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\nfrontend f\n  bind 127.0.0.1:1 ssl crt ${crt}\n`,
  );
  try {
    // A session of its own, without a terminal: it would ask there for the passphrase of an encrypted key.
    execFileSync("setsid", ["-w", "haproxy", "-c", "-f", config], { stdio: ["ignore", "pipe", "pipe"] });
    return true;
  } catch (caught) {
    assert.equal((caught as { status?: number }).status, 1, String(caught));
    return false;
  }
}
