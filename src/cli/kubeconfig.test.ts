import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { bundlePem, createAuthority, selfSigned } from "../pki/index.ts";
import { postern } from "./testing.ts";

const TOKEN = "very-secret.token";
const SERVER = "https://kube-apiserver.example.com:6443";
const cwd = mkdtempSync(join(tmpdir(), "postern-kubeconfig-"));
after(() => rmSync(cwd, { recursive: true }));
const path = (name: string) => join(cwd, name);
const text = (name: string) => readFileSync(path(name), "utf8");

before(async () => {
  const { certificatePem } = await createAuthority({ commonName: "house CA" });
  writeFileSync(path("ca.crt"), certificatePem);
  writeFileSync(path("gate.pem"), bundlePem(await selfSigned({ hosts: ["gate.example.com"] })));
  writeFileSync(path("token"), `${TOKEN}\n`);
});

function kubeconfig(args: readonly string[], input?: string) {
  return postern(["kubeconfig", ...args], { cwd, ...(input !== undefined && { input }) });
}

test("with TLS verification: the CA is inside, and the token only in what was asked for", async () => {
  const { code, stdout, stderr } = await kubeconfig([
    "--server",
    SERVER,
    "--ca",
    "ca.crt",
    "--token-file",
    "token",
  ]);
  assert.deepEqual([code, stderr], [0, ""]);
  const config = parse(stdout);
  assert.equal(config["current-context"], "kube-apiserver-example-com6443");
  const { cluster } = config.clusters[0];
  assert.equal(Buffer.from(cluster["certificate-authority-data"], "base64").toString(), text("ca.crt"));
  assert.deepEqual([cluster.server, cluster["insecure-skip-tls-verify"]], [SERVER, undefined]);
  assert.equal(config.users[0].user.token, TOKEN);
});

test("without TLS verification: kubectl is told so, and the person warned", async () => {
  const { code, stdout, stderr } = await kubeconfig(
    ["--server", SERVER, "--insecure", "--token-stdin"],
    `${TOKEN}\n`,
  );
  assert.equal(code, 0);
  assert.deepEqual(parse(stdout).clusters[0].cluster, { "insecure-skip-tls-verify": true, server: SERVER });
  assert.match(stderr, /^warning: kubectl will not verify the gate/);
  assert.ok(!stderr.includes(TOKEN));
});

test("the gate's own bundle serves as CA without its key, and a host it does not name is told of", async () => {
  const { stdout, stderr } = await kubeconfig([
    "--server",
    "https://192.0.2.10:6443",
    "--ca",
    "gate.pem",
    "--user",
    "me",
  ]);
  const data = parse(stdout).clusters[0].cluster["certificate-authority-data"];
  assert.doesNotMatch(Buffer.from(data, "base64").toString(), /PRIVATE/);
  assert.match(stderr, /only the certificates of gate\.pem are taken over, not its private key/);
  assert.match(
    stderr,
    /warning: kubectl will refuse this gate: x509: cannot validate certificate for 192\.0\.2\.10/,
  );
  const named = [
    "--server",
    "https://192.0.2.10:6443",
    "--ca",
    "gate.pem",
    "--tls-server-name",
    "gate.example.com",
  ];
  assert.doesNotMatch((await kubeconfig(named)).stderr, /will refuse/);
});

test("--out writes a file of the owner's own, and never over one that is there without --force", async () => {
  const args = ["--server", SERVER, "--ca", "ca.crt", "--token-file", "token", "--out", "out.kubeconfig"];
  const made = await kubeconfig(args);
  assert.deepEqual(
    [made.code, made.stdout],
    [0, 'out.kubeconfig  context "kube-apiserver-example-com6443"\n'],
  );
  assert.equal(statSync(path("out.kubeconfig")).mode & 0o777, 0o600);
  const again = await kubeconfig(args);
  assert.deepEqual([again.code, again.stdout], [1, ""]);
  assert.match(again.stderr, /out\.kubeconfig is there already, and stays as it is\n {4}--force replaces it/);
  assert.equal((await kubeconfig([...args, "--force"])).code, 0);
  for (const { stdout, stderr } of [made, again]) assert.ok(!`${stdout}${stderr}`.includes(TOKEN));
});

test("--merge makes the file, adds to it, and never clobbers nor switches unasked", async () => {
  const merge = (server: string, ...more: string[]) =>
    kubeconfig([
      "--server",
      server,
      "--ca",
      "ca.crt",
      "--token-file",
      "token",
      "--merge",
      "sub/config",
      ...more,
    ]);
  assert.equal((await merge(SERVER, "--name", "one")).code, 0);
  const second = await merge(SERVER, "--name", "two");
  assert.match(second.stderr, /the current context is still "one"/);
  const before = text("sub/config");
  const clash = await merge("https://other.example.com", "--name", "one");
  assert.equal(clash.code, 1);
  assert.match(
    clash.stderr,
    /sub\/config has cluster "one" already, with another content; it stays as it is/,
  );
  assert.equal(text("sub/config"), before);
  assert.equal((await merge("https://other.example.com", "--name", "one", "--force")).code, 0);
  assert.equal((await merge(SERVER, "--name", "two", "--use-context")).code, 0);
  const config = parse(text("sub/config"));
  assert.deepEqual(
    config.clusters.map((item: { name: string; cluster: { server: string } }) => [
      item.name,
      item.cluster.server,
    ]),
    [
      ["one", "https://other.example.com"],
      ["two", SERVER],
    ],
  );
  assert.equal(config["current-context"], "two");
  assert.equal(existsSync(path("sub/config.lock")), false);
});

test("--merge waits for nobody: another writer's lock, or a file that is no kubeconfig, leaves all as it is", async () => {
  const args = ["--server", SERVER, "--insecure", "--user", "me", "--merge"];
  writeFileSync(path("busy.lock"), "");
  const busy = await kubeconfig([...args, "busy"]);
  assert.deepEqual([busy.code, existsSync(path("busy")), existsSync(path("busy.lock"))], [1, false, true]);
  assert.match(busy.stderr, /another program is changing busy: there is busy\.lock/);
  writeFileSync(path("broken"), `users:\n- name: me\n  user: {token: ${TOKEN}\n`);
  const broken = await kubeconfig([...args, "broken"]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /broken:\d+:\d+: error: this is not valid YAML.*\n {4}broken stays as it is/);
  assert.ok(!broken.stderr.includes(TOKEN));
  assert.equal(existsSync(path("broken.lock")), false);
});

const wrong: { name: string; args: string[]; input?: string; code: number; told: RegExp }[] = [
  { name: "no server", args: [], code: 2, told: /required option '--server <url>'/ },
  { name: "plain http", args: ["--server", "http://a:6443"], code: 2, told: /takes https:\/\/HOST:PORT/ },
  { name: "no URL", args: ["--server", "a:6443"], code: 2, told: /takes https:\/\/HOST:PORT/ },
  {
    name: "--ca and --insecure",
    args: ["--server", SERVER, "--ca", "x", "--insecure"],
    code: 2,
    told: /not both/,
  },
  {
    name: "--out and --merge",
    args: ["--server", SERVER, "--out", "x", "--merge", "y"],
    code: 2,
    told: /not both/,
  },
  {
    name: "a CA file that is missing",
    args: ["--server", SERVER, "--ca", "none.crt"],
    code: 1,
    told: /no file none\.crt/,
  },
  {
    name: "a CA file that is none",
    args: ["--server", SERVER, "--ca", "token"],
    code: 1,
    told: /no certificate in token/,
  },
  {
    name: "a token file that is missing",
    args: ["--server", SERVER, "--token-file", "no"],
    code: 1,
    told: /no file no\n/,
  },
  {
    name: "an empty token",
    args: ["--server", SERVER, "--token-stdin"],
    input: "\n",
    code: 1,
    told: /it is empty/,
  },
  {
    name: "a token with a line break inside, which is not repeated",
    args: ["--server", SERVER, "--token-stdin"],
    input: `${TOKEN}\n${TOKEN}\n`,
    code: 1,
    told: /standard input holds no token: there are spaces, line breaks/,
  },
];

for (const { name, args, input, code, told } of wrong) {
  test(`refuses ${name}`, async () => {
    const ran = await kubeconfig(args, input);
    assert.deepEqual([ran.code, ran.stdout], [code, ""]);
    assert.match(ran.stderr, told);
    assert.ok(!ran.stderr.includes(TOKEN));
  });
}
