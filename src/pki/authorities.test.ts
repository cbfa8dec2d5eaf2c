import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  createAuthority,
  type Issued,
  issueServerCertificate,
  readAuthorities,
  selfSigned,
} from "./index.ts";
import { openssl, scratch } from "./testing.ts";

const folder = scratch();
let ca: Issued;
let leaf: Issued;
let selfMade: Issued;
let chain: { root: string; intermediate: string };

before(async () => {
  ca = await createAuthority({ commonName: "house CA" });
  leaf = await issueServerCertificate(ca, { hosts: ["kube.example.com"] });
  selfMade = await selfSigned({ hosts: ["kube.example.com"] });
  chain = makeChain();
});

/** What is said of a CA file, its folder left out. */
function saidOf(name: string, now?: Date): string[] {
  const { findings } = readAuthorities({ path: join(folder.path, name) }, now);
  return findings.map(({ severity, message, hint }) =>
    `${severity}: ${message}${hint === undefined ? "" : ` | ${hint}`}`.replaceAll(`${folder.path}/`, ""),
  );
}

test("reads every certificate of a file, and names each by its full subject", () => {
  const path = folder.write("ca.pem", `${ca.certificatePem}some words\n${chain.root}`);
  const { authorities, findings } = readAuthorities({ path });
  assert.deepEqual(findings, []);
  assert.deepEqual(authorities?.names, ["CN=house CA", "O=Example, CN=root CA"]);
  assert.equal(authorities.pems.length, 2);
  assert.equal(authorities.path, path);
});

test("reads the .pem, .crt and .cer files of a folder", () => {
  mkdirSync(join(folder.path, "ca.d"));
  folder.write("ca.d/b.crt", chain.root);
  folder.write("ca.d/a.pem", ca.certificatePem);
  folder.write("ca.d/README", "no certificate");
  const { authorities, files } = readAuthorities({ path: join(folder.path, "ca.d") });
  assert.deepEqual(authorities?.names, ["CN=house CA", "O=Example, CN=root CA"]);
  assert.deepEqual(files, [join(folder.path, "ca.d/a.pem"), join(folder.path, "ca.d/b.crt")]);
});

const said: { name: string; text: () => string; told: RegExp[] }[] = [
  { name: "a root", text: () => ca.certificatePem, told: [] },
  { name: "a root and its intermediate", text: () => chain.intermediate + chain.root, told: [] },
  {
    name: "a server's self-signed certificate, which is its own authority",
    text: () => selfMade.certificatePem,
    told: [],
  },
  {
    name: "an intermediate alone",
    text: () => chain.intermediate,
    told: [
      /^warning: intermediate CA in said\.pem is an intermediate CA: nothing verifies without its root \(O=Example, CN=root CA\) \| append/,
    ],
  },
  {
    name: "a server's certificate that a CA signed",
    text: () => leaf.certificatePem,
    told: [
      /^warning: kube\.example\.com in said\.pem is not a CA's certificate: nothing verifies by it \| give the certificate of the CA that signed it \(CN=house CA\)$/,
    ],
  },
  {
    name: "no certificate",
    text: () => "hello",
    told: [/^error: there is no certificate in said\.pem: it is not PEM.* \| give the certificate of the CA/],
  },
  {
    name: "a damaged certificate",
    text: () => ca.certificatePem + ca.certificatePem.replace(/\n.{10}/, "\nAAAAAAAAAA"),
    told: [/^error: certificate 2 of 2 in said\.pem is damaged and cannot be read$/],
  },
];

for (const { name, text, told } of said) {
  test(`says of a CA file with ${name}: ${told.length === 0 ? "nothing" : "what is wrong"}`, () => {
    folder.write("said.pem", text());
    const findings = saidOf("said.pem");
    assert.equal(findings.length, told.length, findings.join("\n"));
    for (const [index, expected] of told.entries()) assert.match(findings[index]!, expected);
  });
}

test("takes only certificates of a file with a private key, and tells that it holds one", () => {
  const path = folder.write("both.pem", ca.certificatePem + ca.keyPem);
  const { authorities, findings, withKey } = readAuthorities({ path });
  assert.deepEqual(findings, []);
  assert.deepEqual(withKey, [path]);
  assert.ok(!JSON.stringify(authorities).includes("PRIVATE KEY"));
});

test("what it says of a file that verifies nothing is OpenSSL's verdict too", () => {
  const leafPath = folder.write("leaf.pem", leaf.certificatePem);
  const trust = ["-no-CAfile", "-no-CApath", "-no-CAstore", "-CAfile"];
  assert.throws(() => openssl("verify", ...trust, leafPath, leafPath));
  assert.match(openssl("verify", ...trust, folder.write("ca.pem", ca.certificatePem), leafPath), /OK/);
});

test("warns of an authority that has expired", () => {
  folder.write("old.pem", ca.certificatePem);
  assert.match(
    saidOf("old.pem", new Date("2190-01-01"))[0]!,
    /^warning: house CA in old\.pem expired on \d{4}-\d\d-\d\d: it verifies nothing/,
  );
});

test("an absent file and an empty folder are errors", () => {
  assert.deepEqual(saidOf("absent.pem"), ["error: there is no file absent.pem"]);
  mkdirSync(join(folder.path, "empty.d"));
  assert.deepEqual(saidOf("empty.d"), ["error: there is no .pem, .crt or .cer file in the folder empty.d"]);
});

test("the machine's trust store is found, by either of its names, and its roots are not listed", () => {
  const { authorities, findings } = readAuthorities("system");
  assert.deepEqual(findings, []);
  assert.ok((authorities?.pems.length ?? 0) > 50);
  assert.equal(authorities?.system, true);
  assert.deepEqual(authorities, readAuthorities({ path: "@system-ca" }).authorities);
});

/** A root and an intermediate CA, as openssl makes them. */
function makeChain(): { root: string; intermediate: string } {
  const path = (name: string) => join(folder.path, name);
  const make = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30"];
  openssl(...make, "-subj", "/O=Example/CN=root CA", "-keyout", path("r.key"), "-out", path("r.crt"));
  const signed = [
    "-CA",
    path("r.crt"),
    "-CAkey",
    path("r.key"),
    "-addext",
    "basicConstraints=critical,CA:TRUE",
  ];
  openssl(
    ...make,
    "-subj",
    "/CN=intermediate CA",
    "-keyout",
    path("i.key"),
    "-out",
    path("i.crt"),
    ...signed,
  );
  return { root: openssl("x509", "-in", path("r.crt")), intermediate: openssl("x509", "-in", path("i.crt")) };
}
