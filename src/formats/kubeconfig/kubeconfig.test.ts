import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { formatDiagnostic } from "../../model/index.ts";
import {
  contextNameFor,
  type KubeconfigEntry,
  type Merged,
  type MergeOptions,
  mergeKubeconfig,
  readKubeconfig,
  writeKubeconfig,
} from "./index.ts";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nQ0VSVA==\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN PRIVATE KEY-----\nS0VZ\n-----END PRIVATE KEY-----\n";
const base64 = (text: string) => Buffer.from(text).toString("base64");

const ENTRY: KubeconfigEntry = {
  contextName: "prod",
  server: "https://kube.example.com:6443",
  trust: { kind: "ca", pem: CERTIFICATE },
  credential: { kind: "token", token: "t0k3n" },
};

test("a kubeconfig with the CA and a token, as kubectl writes it", () => {
  assert.equal(
    writeKubeconfig({ ...ENTRY, namespace: "dev", tlsServerName: "kubernetes" }),
    `apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster:
    certificate-authority-data: ${base64(CERTIFICATE)}
    server: https://kube.example.com:6443
    tls-server-name: kubernetes
users:
- name: prod
  user:
    token: t0k3n
contexts:
- name: prod
  context:
    cluster: prod
    namespace: dev
    user: prod
current-context: prod
`,
  );
});

const trusts: { name: string; trust: KubeconfigEntry["trust"]; cluster: object }[] = [
  {
    name: "without verification: no CA, which kubectl would refuse beside it",
    trust: { kind: "insecure" },
    cluster: { "insecure-skip-tls-verify": true, server: ENTRY.server },
  },
  { name: "by the machine's trust store", trust: { kind: "system" }, cluster: { server: ENTRY.server } },
  {
    name: "by a bundle: its private key stays out",
    trust: { kind: "ca", pem: `${KEY}${CERTIFICATE}prose${CERTIFICATE}` },
    cluster: { "certificate-authority-data": base64(CERTIFICATE + CERTIFICATE), server: ENTRY.server },
  },
];

for (const { name, trust, cluster } of trusts) {
  test(`trust ${name}`, () => {
    const written = writeKubeconfig({ ...ENTRY, trust });
    assert.deepEqual(parse(written).clusters, [{ name: "prod", cluster }]);
  });
}

const credentials: { name: string; entry: Partial<KubeconfigEntry>; users: object[]; user: string }[] = [
  {
    name: "a client certificate",
    entry: { credential: { kind: "certificate", certificatePem: CERTIFICATE, keyPem: KEY } },
    users: [
      {
        name: "prod",
        user: { "client-certificate-data": base64(CERTIFICATE), "client-key-data": base64(KEY) },
      },
    ],
    user: "prod",
  },
  {
    name: "a program",
    entry: { credential: { kind: "exec", command: "get-token", args: ["--now"], env: { A: "1" } } },
    users: [
      {
        name: "prod",
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1",
            command: "get-token",
            args: ["--now"],
            env: [{ name: "A", value: "1" }],
            interactiveMode: "IfAvailable",
          },
        },
      },
    ],
    user: "prod",
  },
  { name: "nothing", entry: { credential: { kind: "none" } }, users: [], user: "" },
  {
    name: "a user that is there already",
    entry: { credential: { kind: "none" }, userName: "jane" },
    users: [],
    user: "jane",
  },
];

for (const { name, entry, users, user } of credentials) {
  test(`a user known by ${name}`, () => {
    const written = parse(writeKubeconfig({ ...ENTRY, ...entry }));
    assert.deepEqual(written.users, users);
    assert.equal(written.contexts[0].context.user, user);
  });
}

test("a token that YAML would take for something else stays a string", () => {
  for (const token of ["0123", "true", "1e3", "null", "a: b", "#x"]) {
    const written = writeKubeconfig({ ...ENTRY, credential: { kind: "token", token } });
    assert.equal(parse(written).users[0].user.token, token);
  }
});

const contextNames: [url: string, name: string][] = [
  ["https://kube-apiserver.example.com:6443", "kube-apiserver-example-com6443"],
  ["https://kube.example.com", "kube-example-com443"],
  ["https://10.1.0.11:6443/", "10-1-0-11-6443"],
  ["https://[2001:db8::6]:6443", "2001-db8-6-6443"],
];

for (const [url, name] of contextNames) {
  test(`the context of ${url} is called ${name} unless told otherwise`, () => {
    assert.equal(contextNameFor(new URL(url)), name);
  });
}

const THERE = `# my clusters
apiVersion: v1
clusters:
- cluster:
    server: https://old.example.com # the old one
    x-unknown: 1
  name: old
contexts:
- context:
    cluster: old
    user: me
  name: old
current-context: old
kind: Config
preferences: {}
users:
- name: me
  user:
    token: secret-token
`;

function merged(text: string, entry: Partial<KubeconfigEntry> = {}, options?: MergeOptions) {
  const outcome = mergeKubeconfig(text, "config", { ...ENTRY, ...entry }, options);
  assert.ok(outcome.kind === "merged", JSON.stringify(outcome));
  return outcome;
}

test("merging adds lines and changes none: comments, unknown fields, order and current context stay", () => {
  const { text, replaced, currentContext } = merged(THERE);
  assert.deepEqual(replaced, []);
  assert.equal(currentContext, "old");
  const lines = text.split("\n");
  const kept = THERE.split("\n").filter((line) => !lines.includes(line));
  assert.deepEqual(kept, []);
  assert.equal(lines.length, THERE.split("\n").length + 4 + 4 + 3);
  const { clusters, users, contexts } = parse(text);
  for (const list of [clusters, users, contexts]) assert.equal(list[1].name, "prod");
});

test("a list that is indented stays so", () => {
  const indented = THERE.replace(/^(- | {2})/gm, "  $1");
  const { text } = merged(indented);
  for (const line of indented.split("\n")) assert.ok(text.split("\n").includes(line), line);
});

test("the same entry once more changes nothing", () => {
  const once = merged(THERE).text;
  assert.equal(merged(once).text, once);
});

const takers: { name: string; entry: Partial<KubeconfigEntry>; taken: string[] }[] = [
  { name: "cluster", entry: { clusterName: "old" }, taken: ['cluster "old"'] },
  { name: "user", entry: { userName: "me" }, taken: ['user "me"'] },
  {
    name: "context",
    entry: { contextName: "old", clusterName: "c", userName: "u" },
    taken: ['context "old"'],
  },
  {
    name: "cluster, user and context",
    entry: { contextName: "old", userName: "me", namespace: "dev" },
    taken: ['cluster "old"', 'user "me"', 'context "old"'],
  },
];

for (const { name, entry, taken } of takers) {
  test(`a ${name} of that name is never overwritten unless forced`, () => {
    const refusal: Merged = mergeKubeconfig(THERE, "config", { ...ENTRY, ...entry });
    assert.deepEqual(refusal, { kind: "taken", parts: taken });
    const forced = merged(THERE, entry, { force: true });
    assert.deepEqual(forced.replaced, taken);
    assert.equal(forced.currentContext, "old");
    assert.deepEqual(merged(forced.text, entry).text, forced.text);
  });
}

test("a replaced cluster keeps nothing of the old one: an insecure flag beside a CA is an error to kubectl", () => {
  const insecure = THERE.replace("x-unknown: 1", "insecure-skip-tls-verify: true");
  const { text } = merged(insecure, { clusterName: "old" }, { force: true });
  assert.deepEqual(Object.keys(parse(text).clusters[0].cluster), ["certificate-authority-data", "server"]);
});

test("a user that is only named is not touched", () => {
  const { text } = merged(THERE, { userName: "me", credential: { kind: "none" } });
  assert.deepEqual(parse(text).users, parse(THERE).users);
  assert.equal(parse(text).contexts[1].context.user, "me");
});

test("the current context is switched when asked, or when there is none", () => {
  assert.equal(merged(THERE, {}, { useContext: true }).currentContext, "prod");
  for (const none of ['current-context: ""', "current-context:", ""]) {
    const { text } = merged(THERE.replace("current-context: old", none));
    assert.equal(parse(text)["current-context"], "prod");
  }
});

const bases: { name: string; text: string }[] = [
  { name: "an empty file", text: "" },
  { name: "a file with comments only", text: "# nothing yet\n" },
  {
    name: "kubectl's empty config",
    text: "apiVersion: v1\nclusters: null\ncontexts: []\nkind: Config\nusers: null\n",
  },
  { name: "a file without lists", text: "apiVersion: v1\nkind: Config\n" },
  {
    name: "JSON",
    text: '{"apiVersion":"v1","kind":"Config","clusters":[],"users":[],"contexts":[],"current-context":""}',
  },
];

for (const { name, text } of bases) {
  test(`merges into ${name}`, () => {
    const config = parse(merged(text).text);
    assert.equal(config.clusters[0].cluster.server, ENTRY.server);
    assert.equal(config.users[0].user.token, "t0k3n");
    assert.deepEqual(config.contexts[0].context, { cluster: "prod", user: "prod" });
    assert.equal(config["current-context"], "prod");
  });
}

const unreadable: { name: string; text: string; told: string }[] = [
  {
    name: "broken YAML, without quoting the token in it",
    text: "apiVersion: v1\nusers:\n- name: me\n  user:\n    token: secret-token\n   bad: [secret-token\n",
    told: "config:6:1: error: this is not valid YAML",
  },
  {
    name: "a key twice",
    text: "kind: Config\nkind: Config\n",
    told: "config:2:1: error: this is not valid YAML (duplicate key)",
  },
  {
    name: "two documents",
    text: "a: 1\n---\nb: 2\n",
    told: "config:2:1: error: this is not valid YAML (multiple docs)",
  },
  { name: "a list", text: "- a\n", told: "config:1:1: error: this is not a kubeconfig: it is no mapping" },
  {
    name: "another kind",
    text: "kind: Secret\n",
    told: "config:1:1: error: this is not a kubeconfig: its kind is another",
  },
  {
    name: "clusters that are no list",
    text: "kind: Config\nclusters:\n  a: 1\n",
    told: 'config:3:3: error: "clusters" must be a list',
  },
  {
    name: "a user without name",
    text: "users:\n- user: {}\n",
    told: 'config:2:1: error: "users" must be a list',
  },
];

for (const { name, text, told } of unreadable) {
  test(`refuses ${name}`, () => {
    const { document, problems } = readKubeconfig(text, "config");
    assert.equal(document, undefined);
    const said = problems.map(formatDiagnostic).join("\n");
    assert.ok(said.startsWith(told), said);
    assert.ok(!said.includes("secret-token"));
  });
}
