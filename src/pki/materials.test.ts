import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type {
  Backend,
  Bind,
  BindTls,
  CertificateFile,
  Configuration,
  Frontend,
  Position,
  Route,
  Server,
  ServerTls,
} from "../model/index.ts";
import {
  bundlePem,
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  loadMaterials,
} from "./index.ts";
import { recipeBundle, scratch } from "./testing.ts";

const folder = scratch();
let ca: Issued;

before(async () => {
  ca = await createAuthority({ commonName: "house CA" });
  folder.write("ca.pem", ca.certificatePem);
  folder.write("recipe.pem", recipeBundle());
  for (const name of ["a", "b"]) {
    const issued = await issueServerCertificate(ca, { hosts: [`${name}.example.com`] });
    folder.write(`${name}.pem`, bundlePem(issued));
  }
  folder.write("client.pem", bundlePem(await issueClientCertificate(ca, { user: "gate" })));
});

test("every bind has a context for each name, every server its trust", () => {
  const bind = bindWith({ certificates: [crt("a.pem", 5), crt("b.pem", 6)] });
  const server = serverWith({ verify: "required", ca: crt("ca.pem", 9), certificate: crt("client.pem", 9) });
  const { materials, problems } = loadMaterials(configurationOf([bind], [server]));
  assert.deepEqual(problems, []);
  const prepared = materials.binds.get(bind);
  const names = prepared?.certificates.map(({ commonName }) => commonName);
  assert.deepEqual(names, ["a.example.com", "b.example.com"]);
  const [a, b] = ["a.example.com", "b.example.com"].map((name) => prepared?.contextFor(name));
  assert.ok(a && b && a !== b);
  assert.equal(prepared?.contextFor(undefined), a);
  assert.equal(prepared?.contextFor("B.example.com"), b);
  assert.deepEqual(materials.servers.get(server)?.caNames, ["CN=house CA"]);
  assert.deepEqual(
    [...materials.files].sort(),
    ["a.pem", "b.pem", "ca.pem", "client.pem"].map((name) => join(folder.path, name)),
  );
});

test("a folder of certificates is loaded by name, the first is the default", () => {
  mkdirSync(join(folder.path, "crt.d"));
  folder.write("crt.d/2.pem", recipeBundle());
  folder.write("crt.d/10.pem", recipeBundle());
  const bind = bindWith({ certificates: [crt("crt.d", 5)] });
  const { materials } = loadMaterials(configurationOf([bind]));
  const paths = materials.binds.get(bind)?.certificates.map(({ path }) => path);
  assert.deepEqual(paths, [join(folder.path, "crt.d/10.pem"), join(folder.path, "crt.d/2.pem")]);
});

test("a file that several lines name is opened once and told of once, at the first of them", () => {
  const binds = [
    bindWith({ certificates: [crt("none.pem", 5)] }),
    bindWith({ certificates: [crt("none.pem", 6)] }),
  ];
  const servers = [7, 8].map((line) => serverWith({ verify: "required", ca: crt("no-ca.pem", line) }));
  const told = toldOf(configurationOf(binds, servers));
  assert.deepEqual(told, ["5: error: there is no file none.pem", "7: error: there is no file no-ca.pem"]);
});

test("what cannot be prepared is missing, never half done", () => {
  const bind = bindWith({ certificates: [crt("none.pem", 5)] });
  const unverifiable = serverWith({ verify: "required", ca: crt("no-ca.pem", 7) });
  const certless = serverWith({ verify: "none", certificate: crt("none.pem", 8) });
  const { materials } = loadMaterials(configurationOf([bind], [unverifiable, certless]));
  assert.equal(materials.binds.get(bind)?.contextFor("a.example.com"), undefined);
  assert.equal(materials.servers.has(unverifiable), false);
  assert.equal(materials.servers.has(certless), false);
});

test("a server that must be verified and names no CA is judged by the machine's trust store", () => {
  const server = serverWith({ verify: "required" });
  const { materials, problems } = loadMaterials(configurationOf([], [server]));
  assert.deepEqual(problems, []);
  assert.equal(materials.servers.get(server)?.verify, "required");
  assert.ok(materials.files.every((file) => file.startsWith("/etc/")));
});

test("a ca-file of a bind must be there even when no client certificate is asked for, as HAProxy wants it", () => {
  const bind = bindWith({ certificates: [crt("a.pem", 5)], clientCa: crt("no-ca.pem", 5) });
  assert.deepEqual(toldOf(configurationOf([bind])), ["5: error: there is no file no-ca.pem"]);
});

test("a ca-file with a private key in it is a warning", () => {
  folder.write("ca-and-key.pem", ca.certificatePem + ca.keyPem);
  const server = serverWith({ verify: "required", ca: crt("ca-and-key.pem", 9) });
  const told = toldOf(configurationOf([], [server]));
  assert.deepEqual(told, [
    "9: warning: ca-and-key.pem holds a private key, which whoever trusts a CA does not need",
  ]);
});

test("an empty folder is an error", () => {
  mkdirSync(join(folder.path, "empty.d"));
  const bind = bindWith({ certificates: [crt("empty.d", 5)] });
  assert.deepEqual(toldOf(configurationOf([bind])), [
    "5: error: there is no certificate in the folder empty.d",
  ]);
});

test("ciphers that OpenSSL does not know are told of where the bind or the server stands", () => {
  const ciphers = { ciphers: "NONE", cipherSuites: "TLS_NONE" };
  const bind = bindWith({ certificates: [crt("a.pem", 5), crt("b.pem", 5)], ...ciphers });
  const told = toldOf(configurationOf([bind], [serverWith({ verify: "none", ...ciphers })]));
  const words = 'error: OpenSSL knows none of the ciphers "TLS_NONE:NONE"';
  assert.deepEqual(told, [`4: ${words}`, `8: ${words}`]);
});

const routed: { name: string; routes: Partial<Route>[]; bind?: Partial<BindTls>; told: string[] }[] = [
  {
    name: "a name that the certificate carries",
    routes: [{ names: [{ kind: "exact", value: "a.example.com" }] }],
    told: [],
  },
  {
    name: "a name that only another certificate carries",
    routes: [{ names: [{ kind: "exact", value: "b.example.com" }] }],
    told: [
      "6: warning: no certificate on bind :6443 carries the name b.example.com: its clients are shown the one for a.example.com, and refuse it if they verify",
    ],
  },
  {
    name: "a wildcard",
    routes: [{ names: [{ kind: "wildcard", value: "*.example.com" }] }],
    told: [
      "6: warning: no certificate on bind :6443 carries the name *.example.com: its clients are shown the one for a.example.com, and refuse it if they verify",
    ],
  },
  {
    name: "strict-sni",
    routes: [{ names: [{ kind: "exact", value: "b.example.com" }] }],
    bind: { strictSni: true },
    told: [
      "6: warning: no certificate on bind :6443 carries the name b.example.com: its clients are refused (strict-sni)",
    ],
  },
  {
    name: "passthrough, a negated rule, and patterns that name nobody",
    routes: [
      { names: [{ kind: "exact", value: "b.example.com" }], tls: "passthrough" },
      { names: [{ kind: "exact", value: "b.example.com" }], negate: true },
      { names: [{ kind: "any" }, { kind: "suffix", value: ".example.org" }] },
    ],
    told: [],
  },
];

for (const { name, routes, bind, told } of routed) {
  test(`a route by ${name}: ${told.length === 0 ? "nothing is said" : "a warning that no certificate fits"}`, () => {
    const configuration = configurationOf(
      [bindWith({ certificates: [crt("a.pem", 5)], ...bind })],
      [],
      routes,
    );
    assert.deepEqual(toldOf(configuration), told);
  });
}

test("the recipe's second example with the first one's certificate: CN=* is told of, and that it fits no route", () => {
  const bind = bindWith({ certificates: [crt("recipe.pem", 5)], clientCa: crt("ca.pem", 5) });
  const names = [{ kind: "exact" as const, value: "kube-apiserver.example.com" }];
  const told = toldOf(configurationOf([bind], [], [{ names }]));
  assert.equal(told.length, 3);
  assert.match(told[0]!, /^5: warning: the certificate in recipe\.pem names its host only as CN=\*/);
  assert.match(told[1]!, /^5: warning: the certificate in recipe\.pem is signed with SHA-1/);
  assert.match(
    told[2]!,
    /^6: warning: no certificate on bind :6443 carries the name kube-apiserver\.example\.com: its clients are shown the one for \*/,
  );
});

function toldOf(configuration: Configuration): string[] {
  const { problems } = loadMaterials(configuration);
  return problems.map(({ at, severity, message }) =>
    `${at.line}: ${severity}: ${message}`.replaceAll(`${folder.path}/`, ""),
  );
}

function at(line: number): Position {
  return { file: "haproxy.cfg", line, column: 5 };
}

function crt(name: string, line: number): CertificateFile {
  return { path: join(folder.path, name), at: at(line) };
}

function bindWith(tls: Partial<BindTls>): Bind {
  return {
    at: at(4),
    written: ":6443",
    address: { kind: "tcp", host: "0.0.0.0", port: 6443 },
    inspect: "none",
    tls: {
      certificates: [],
      strictSni: false,
      alpn: [],
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.3",
      clientAuth: "none",
      tickets: true,
      ...tls,
    },
  };
}

function serverWith(tls: Partial<ServerTls>): Server {
  return {
    name: "s",
    at: at(8),
    host: "127.0.0.1",
    port: 6443,
    weight: 1,
    backup: false,
    disabled: false,
    tls: { verify: "none", alpn: [], minVersion: "TLSv1.2", maxVersion: "TLSv1.3", ...tls },
  };
}

function configurationOf(
  binds: Bind[],
  servers: Server[] = [],
  routes: Partial<Route>[] = [],
): Configuration {
  const frontend: Frontend = {
    name: "f",
    at: at(3),
    mode: "http",
    binds,
    routes: routes.map((route) => ({
      at: at(6),
      names: [],
      negate: false,
      backend: "b",
      tls: "terminate",
      ...route,
    })),
    timeouts: {},
    log: { targets: [], format: "httplog", dontLogNull: false },
    forwardFor: true,
    headBytesMax: 16384,
  };
  const backend: Backend = {
    name: "b",
    at: at(7),
    mode: "http",
    balance: "leastconn",
    servers,
    timeouts: {},
    check: { kind: "connect" },
    retries: 3,
    kubernetes: true,
    forwardFor: true,
  };
  return {
    global: { logTag: "postern", debug: false },
    frontends: [frontend],
    backends: new Map([["b", backend]]),
  };
}
