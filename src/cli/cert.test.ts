import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { postern } from "./testing.ts";

const cwd = mkdtempSync(join(tmpdir(), "postern-cert-"));
after(() => rmSync(cwd, { recursive: true }));
const cert = (...args: string[]) => postern(["cert", ...args], { cwd });
const openssl = (...args: string[]) =>
  execFileSync("openssl", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("self-signed writes one file as HAProxy wants it, and tells which on stdout", async () => {
  const made = await cert(
    "self-signed",
    "--host",
    "gate.example.com",
    "--ip",
    "192.0.2.10",
    "--out",
    "haproxy.pem",
  );
  assert.deepEqual([made.code, made.stdout], [0, "haproxy.pem  certificate and private key\n"]);
  assert.match(made.stderr, /bind :6443 ssl crt haproxy\.pem/);
  assert.equal(statSync(join(cwd, "haproxy.pem")).mode & 0o777, 0o600);
  assert.match(readFileSync(join(cwd, "haproxy.pem"), "utf8"), /^-----BEGIN CERT.*-----BEGIN PRIVATE KEY/s);
  const text = openssl("x509", "-in", "haproxy.pem", "-noout", "-ext", "subjectAltName");
  assert.match(text, /DNS:gate\.example\.com, IP Address:192\.0\.2\.10/);
});

test("with --ca a private CA signs, and one that is there signs again", async () => {
  const first = await cert("self-signed", "--host", "a.example.com", "--dir", "tls", "--ca");
  assert.equal(first.code, 0);
  assert.deepEqual(
    first.stdout.split("\n").map((line) => line.split("  ")[0]),
    ["tls/ca.key", "tls/ca.crt", "tls/gate.pem", ""],
  );
  const ca = readFileSync(join(cwd, "tls/ca.crt"));
  const second = await cert("self-signed", "--host", "b.example.com", "--out", "tls/b.pem", "--ca", "--rsa");
  assert.deepEqual([second.code, second.stdout], [0, "tls/b.pem  certificate and private key\n"]);
  const renewed = await cert("self-signed", "--host", "a.example.com", "--dir", "tls", "--ca", "--force");
  assert.equal(renewed.code, 0);
  assert.deepEqual(readFileSync(join(cwd, "tls/ca.crt")), ca);
  for (const leaf of ["tls/gate.pem", "tls/b.pem"]) {
    assert.match(openssl("verify", "-x509_strict", "-CAfile", "tls/ca.crt", leaf), /OK/);
  }
  assert.equal(statSync(join(cwd, "tls/ca.key")).mode & 0o777, 0o600);
});

test("a certificate that is there is never overwritten without --force", async () => {
  writeFileSync(join(cwd, "mine.pem"), "mine");
  const refused = await cert("self-signed", "--host", "a", "--out", "mine.pem");
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.equal(
    refused.stderr,
    "postern: mine.pem is there already, and stays as it is\n    --force replaces it\n",
  );
  assert.equal(readFileSync(join(cwd, "mine.pem"), "utf8"), "mine");
  assert.equal((await cert("self-signed", "--host", "a", "--out", "mine.pem", "--force")).code, 0);
});

const wrong: { name: string; args: string[]; told: RegExp }[] = [
  { name: "no host", args: [], told: /give at least one --host NAME or --ip ADDRESS/ },
  { name: "a lone star", args: ["--host", "*"], told: /"\*" alone names no host.*\n {4}write the names/ },
  { name: "days that are no number", args: ["--host", "a", "--days", "x"], told: /--days takes a number/ },
  { name: "no day", args: ["--host", "a", "--days", "0"], told: /valid for 1 to 36500 days, not 0/ },
  { name: "--out and --dir", args: ["--host", "a", "--out", "x", "--dir", "y"], told: /not both/ },
  {
    name: "an unknown format",
    args: ["--host", "a", "--output", "xml"],
    told: /"text" or "json", not "xml"/,
  },
];

for (const { name, args, told } of wrong) {
  test(`self-signed with ${name} is a usage mistake`, async () => {
    const { code, stdout, stderr } = await cert("self-signed", ...args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, told);
  });
}

test("half a CA is not made whole, and a folder that is missing is named", async () => {
  await cert("self-signed", "--host", "a", "--dir", "half", "--ca");
  rmSync(join(cwd, "half/ca.key"));
  const half = await cert("self-signed", "--host", "a", "--dir", "half", "--ca", "--force");
  assert.deepEqual(
    [half.code, /half\/ca\.crt is there, but half\/ca\.key is not/.test(half.stderr)],
    [1, true],
  );
  const nowhere = await cert("self-signed", "--host", "a", "--out", "no/x.pem");
  assert.equal(nowhere.stderr, "postern: no/x.pem cannot be written: its folder does not exist\n");
});

test("show tells names, issuer, key and kubectl's words, and exits 0 while it can be used", async () => {
  writeFileSync(join(cwd, "recipe.pem"), recipeBundle(), { mode: 0o600 });
  const { code, stdout } = await cert("show", "recipe.pem");
  assert.equal(code, 0);
  assert.match(stdout, /^subject {2}C=US, CN=\*$/m);
  assert.match(stdout, /^hosts {4}none \(no subject alternative names\)$/m);
  assert.match(stdout, /^key {6}RSA 2048 bits, the private key is in the file and belongs to it$/m);
  assert.match(stdout, /^kubectl {2}by localhost: x509: certificate relies on legacy Common Name field/m);
  assert.match(stdout, /^warning: the certificate in recipe\.pem names its host only as CN=\*/m);
  assert.ok(!stdout.includes("\x1b["));
});

test("show as JSON tells no byte of the key", async () => {
  const shown = await cert("show", "tls/gate.pem", "--output", "json", "--host", "a.example.com");
  const told = JSON.parse(shown.stdout);
  assert.deepEqual(told.certificates[0].names, ["a.example.com"]);
  assert.deepEqual([told.key, told.kubectl], ["belongs", { host: "a.example.com" }]);
  const secret = readFileSync(join(cwd, "tls/gate.pem"), "utf8").split("PRIVATE KEY-----\n")[1]!.slice(0, 40);
  assert.ok(!shown.stdout.includes(secret));
});

test("show exits 1 for a file that cannot be used", async () => {
  const certificate = readFileSync(join(cwd, "tls/gate.pem"), "utf8").split("-----BEGIN PRIVATE KEY")[0];
  writeFileSync(join(cwd, "foreign.pem"), `${certificate}${readFileSync(join(cwd, "tls/ca.key"), "utf8")}`);
  const foreign = await cert("show", "foreign.pem");
  assert.equal(foreign.code, 1);
  assert.match(foreign.stdout, /^error: the private key in foreign\.pem does not belong to its certificate/m);
  const absent = await cert("show", "absent.pem");
  assert.deepEqual([absent.code, absent.stdout], [1, `error: there is no file absent.pem in ${cwd}\n`]);
});

function recipeBundle(): string {
  return openssl(
    "req",
    "-x509",
    "-nodes",
    "-sha1",
    "-newkey",
    "rsa:2048",
    "-keyout",
    "-",
    "-subj",
    "/C=US/CN=*",
  );
}
