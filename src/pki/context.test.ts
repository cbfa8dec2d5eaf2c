import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import * as net from "node:net";
import { before, test } from "node:test";
import * as tls from "node:tls";
import type { BindTls, ServerTls } from "../model/index.ts";
import {
  type Authorities,
  bundlePem,
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
  readAuthorities,
  readBundle,
  type ServerCertificate,
  serverContext,
  serverTrust,
} from "./index.ts";
import { AT, openssl, scratch } from "./testing.ts";

const folder = scratch();
let ca: Issued;
let authorities: Authorities;
let certificate: ServerCertificate;
let clientCertificate: ServerCertificate;

before(async () => {
  ca = await createAuthority({ commonName: "house CA" });
  authorities = readAuthorities({ path: folder.write("ca.pem", ca.certificatePem) }).authorities!;
  const issued = await issueServerCertificate(ca, { hosts: ["kube.example.com"] });
  certificate = readBundle({ path: folder.write("gate.pem", bundlePem(issued)), at: AT }).certificate!;
  const client = await issueClientCertificate(ca, { user: "gate" });
  clientCertificate = readBundle({ path: folder.write("c.pem", bundlePem(client)), at: AT }, "client")
    .certificate!;
});

const BIND: BindTls = {
  certificates: [],
  strictSni: false,
  alpn: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  clientAuth: "none",
  tickets: true,
};
const SERVER: ServerTls = { verify: "required", alpn: [], minVersion: "TLSv1.2", maxVersion: "TLSv1.3" };

function contextOf(bind: Partial<BindTls>, clients?: Authorities, scope = "f 0 :6443"): tls.SecureContext {
  const built = serverContext(certificate, { ...BIND, ...bind }, clients, scope);
  assert.ok(built.kind === "built", JSON.stringify(built));
  return built.value;
}

/** Ends TLS with the context, as the gate does it, while `use` dials. */
async function serve<T>(context: tls.SecureContext, use: (port: number) => Promise<T>): Promise<T> {
  const server = net.createServer((socket) => {
    const secure = new tls.TLSSocket(socket, { isServer: true, secureContext: context });
    secure.on("error", () => {});
    secure.on("secure", () => secure.end("hello"));
  });
  return listening(server, use);
}

/** A server that asks for client certificates: only `tls.Server` tells what OpenSSL thinks of them. */
async function serveAsking<T>(context: tls.SecureContext, use: (port: number) => Promise<T>): Promise<T> {
  const SNICallback: tls.TlsOptions["SNICallback"] = (_name, done) => done(null, context);
  const options = { SNICallback, requestCert: true, rejectUnauthorized: false };
  const server = tls.createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.end(`authorized=${socket.authorized}`);
  });
  return listening(server, use);
}

async function listening<T>(server: net.Server, use: (port: number) => Promise<T>): Promise<T> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await use((server.address() as net.AddressInfo).port);
  } finally {
    server.close();
  }
}

interface Heard {
  readonly said: string;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly resumed: boolean;
  readonly verified: boolean;
  readonly session: Buffer | undefined;
}

async function dial(port: number, options: tls.ConnectionOptions): Promise<Heard> {
  const socket = tls.connect({
    port,
    host: "127.0.0.1",
    servername: "kube.example.com",
    rejectUnauthorized: false,
    ...options,
  });
  let session: Buffer | undefined;
  socket.on("session", (ticket: Buffer) => {
    session = ticket;
  });
  await once(socket, "secureConnect");
  const facts = {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().name,
    resumed: socket.isSessionReused(),
    verified: socket.authorized,
  };
  let said = "";
  socket.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await once(socket, "close");
  return { ...facts, said, session };
}

test("speaks TLS 1.3 and 1.2 with AES-128-GCM, and nothing older, unless told otherwise", async () => {
  await serve(contextOf({}), async (port) => {
    const now = await dial(port, {});
    assert.deepEqual([now.protocol, now.cipher], ["TLSv1.3", "TLS_AES_128_GCM_SHA256"]);
    const before = await dial(port, { maxVersion: "TLSv1.2" });
    assert.deepEqual([before.protocol, before.cipher], ["TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
    await assert.rejects(
      dial(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
    );
  });
});

test("refuses a client that has only ciphers without forward secrecy or AEAD", async () => {
  await serve(contextOf({}), async (port) => {
    for (const ciphers of ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"]) {
      await assert.rejects(dial(port, { maxVersion: "TLSv1.2", ciphers }));
    }
  });
});

const versions: { bind: Partial<BindTls>; client: tls.ConnectionOptions; protocol: string | undefined }[] = [
  { bind: { minVersion: "TLSv1.3" }, client: { maxVersion: "TLSv1.2" }, protocol: undefined },
  { bind: { maxVersion: "TLSv1.2" }, client: {}, protocol: "TLSv1.2" },
  {
    bind: { minVersion: "TLSv1" },
    client: { minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" },
    protocol: "TLSv1",
  },
];

for (const { bind, client, protocol } of versions) {
  const asked = `a bind with ${JSON.stringify(bind)} and a client with ${JSON.stringify(client)}`;
  test(`${asked} ${protocol === undefined ? "do not agree" : `speak ${protocol}`}`, async () => {
    await serve(contextOf(bind), async (port) => {
      if (protocol === undefined) await assert.rejects(dial(port, client));
      else assert.equal((await dial(port, client)).protocol, protocol);
    });
  });
}

test("takes ciphers, suites and curves as written", async () => {
  const bind = {
    ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384",
    cipherSuites: "TLS_CHACHA20_POLY1305_SHA256",
    curves: "P-384",
  };
  await serve(contextOf(bind), async (port) => {
    assert.equal((await dial(port, {})).cipher, "TLS_CHACHA20_POLY1305_SHA256");
    assert.equal((await dial(port, { maxVersion: "TLSv1.2" })).cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
    await assert.rejects(dial(port, { ecdhCurve: "P-256" }));
  });
});

const refused: { name: string; bind: Partial<BindTls>; told: RegExp }[] = [
  {
    name: "ciphers",
    bind: { ciphers: "NO-SUCH-CIPHER", cipherSuites: "TLS_NONE" },
    told: /OpenSSL knows none of the ciphers ".*NO-SUCH-CIPHER"/,
  },
  { name: "curves", bind: { curves: "P-1" }, told: /OpenSSL does not know the curves "P-1"/ },
];

for (const { name, bind, told } of refused) {
  test(`${name} that OpenSSL does not know are an error in words`, () => {
    const built = serverContext(certificate, { ...BIND, ...bind }, undefined, "f");
    assert.ok(built.kind === "refused");
    assert.equal(built.finding.severity, "error");
    assert.match(built.finding.message, told);
  });
}

test("a certificate whose signature OpenSSL does not take is an error in words", () => {
  const key = ["-nodes", "-newkey", "rsa:2048", "-keyout", "-", "-subj", "/CN=a"];
  const signer = [
    "-CA",
    folder.write("ca.crt", ca.certificatePem),
    "-CAkey",
    folder.write("ca.key", ca.keyPem),
  ];
  const path = folder.write("sha1.pem", openssl("req", "-x509", "-sha1", ...key, ...signer));
  const weak = readBundle({ path, at: AT }).certificate;
  assert.ok(weak);
  const built = serverContext(weak, BIND, undefined, "f");
  assert.ok(built.kind === "refused");
  assert.equal(
    built.finding.message,
    `OpenSSL refuses the certificate in ${path}: its signature's hash is broken`,
  );
});

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a ${maxVersion} session is resumed on its own bind, and on no other`, async () => {
    const context = contextOf({});
    const session = await serve(context, async (port) => (await dial(port, { maxVersion })).session);
    assert.ok(session);
    const resumes = async (there: tls.SecureContext): Promise<boolean> => {
      const again = await serve(there, (port) => dial(port, { maxVersion, session }));
      return again.resumed;
    };
    assert.equal(await resumes(context), true);
    assert.equal(await resumes(contextOf({}, undefined, "f 1 :7443")), false);
    assert.equal(await resumes(contextOf({ clientAuth: "required" }, authorities)), false);
  });
}

test("without tickets nothing is resumed", async () => {
  const context = contextOf({ tickets: false });
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const { session } = await serve(context, (port) => dial(port, { maxVersion }));
    const again = await serve(context, (port) => dial(port, { maxVersion, ...(session && { session }) }));
    assert.equal(again.resumed, false);
  }
});

test("a bind that asks for client certificates names its CA to them, and verifies by it alone", async () => {
  const stranger = await createAuthority({ commonName: "house CA" });
  const { certificatePem: cert, keyPem: key } = await issueClientCertificate(stranger, { user: "mallory" });
  const ours = {
    cert: clientCertificate.chainPem,
    key: clientCertificate.key.export({ type: "pkcs8", format: "pem" }),
  };
  await serveAsking(contextOf({ clientAuth: "optional" }, authorities), async (port) => {
    assert.equal((await dial(port, ours)).said, "authorized=true");
    assert.equal((await dial(port, { cert, key })).said, "authorized=false");
    assert.equal((await dial(port, {})).said, "authorized=false");
    assert.match(await opensslClient(port), /Acceptable client certificate CA names\nCN ?= ?house CA\n/);
  });
});

test("a server is verified by the CA named, by nothing where none is, never by Node's own roots", async () => {
  const trusting = serverTrust(SERVER, authorities);
  const blank = serverTrust({ ...SERVER, verify: "none" }, undefined);
  assert.ok(trusting.kind === "built" && blank.kind === "built");
  assert.equal(trusting.value.caPath, authorities.path);
  assert.deepEqual(trusting.value.caNames, ["CN=house CA"]);
  assert.deepEqual([blank.value.caPath, blank.value.verify], [undefined, "none"]);
  await serve(contextOf({}), async (port) => {
    assert.equal((await dial(port, { secureContext: trusting.value.context })).verified, true);
    assert.equal((await dial(port, { secureContext: blank.value.context })).verified, false);
  });
});

test("the machine's trust store is not listed in messages", () => {
  const built = serverTrust(SERVER, readAuthorities("system").authorities);
  assert.ok(built.kind === "built");
  assert.deepEqual([built.value.caPath, built.value.caNames], [undefined, []]);
});

test("a client certificate of the gate's own is shown to the server", async () => {
  const built = serverTrust(SERVER, authorities, clientCertificate);
  assert.ok(built.kind === "built");
  const { context } = built.value;
  const asking = contextOf({ clientAuth: "required" }, authorities);
  const heard = await serveAsking(asking, (port) => dial(port, { secureContext: context }));
  assert.equal(heard.said, "authorized=true");
});

/** What s_client tells of a handshake. */
function opensslClient(port: number): Promise<string> {
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "kube.example.com"];
  return new Promise((resolve) => {
    execFile("openssl", args, (_error, stdout) => resolve(stdout)).stdin?.end();
  });
}
