import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import * as tls from "node:tls";
import { createAuthority, issueClientCertificate } from "../../src/pki/index.ts";
import { ask1, ask2, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isHandshake, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { freePort, runToEnd, start } from "../support/process.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Told, type Upstream } from "../support/upstream.ts";

type Certificates = Awaited<ReturnType<typeof writeCertificates>>;

let folder: Folder;
let one: Certificates;
let wild: Certificates;
let api: Certificates;
let upstream: Upstream;

before(async () => {
  folder = await temporaryFolder();
  [one, wild, api] = await Promise.all([
    writeCertificates(folder, "one", ["one.example.com", "127.0.0.1"]),
    writeCertificates(folder, "wild", ["*.wild.example.com"]),
    writeCertificates(folder, "api", ["kubernetes"]),
  ]);
  upstream = await startUpstream({ tls: secret() });
});

after(async () => {
  await upstream?.close();
  await folder?.remove();
});

function secret() {
  return { cert: api.certificatePem, key: api.keyPem };
}

/** A gate in front of `port` with these words on its bind line; it is closed when the test ends. */
async function gateTo(
  t: { after(fn: () => unknown): void },
  bind: string,
  { port = upstream.port, server = "", more = "" } = {},
): Promise<GateUnderTest> {
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${one.bundle} ${bind}
    default_backend api
${more}
backend api
    retries 0
    server one 127.0.0.1:${port} ssl verify required ca-file ${api.ca} verifyhost kubernetes ${server}
`);
  t.after(() => gate.close());
  return gate;
}

describe("certificates by server name", () => {
  let gate: GateUnderTest;

  before(async () => {
    gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${one.bundle} crt ${wild.bundle}
    default_backend api
backend api
    server one 127.0.0.1:${upstream.port} ssl verify none
`);
  });
  after(() => gate?.close());

  const shown = [
    { name: "its own", servername: "one.example.com", issuer: "one CA" },
    { name: "in other letters", servername: "ONE.Example.COM", issuer: "one CA" },
    { name: "one that a wildcard covers", servername: "a.wild.example.com", issuer: "wild CA" },
    {
      name: "two labels below a wildcard: the default",
      servername: "a.b.wild.example.com",
      issuer: "one CA",
    },
    { name: "the wildcard's own parent: the default", servername: "wild.example.com", issuer: "one CA" },
    { name: "an unknown one: the default", servername: "else.example.com", issuer: "one CA" },
    { name: "none: the default", servername: undefined, issuer: "one CA" },
  ];
  for (const { name, servername, issuer } of shown) {
    test(`a client that names ${name}`, async () => {
      const socket = await secure({ port: gate.port(), ...(servername !== undefined && { servername }) });
      assert.equal(socket.getPeerCertificate().issuer.CN, issuer);
      assert.equal((await ask1(socket, "/")).status, 200);
      socket.destroy();
    });
  }
});

test("strict-sni: a name without a certificate, and none, hear unrecognized_name", async (t) => {
  const gate = await gateTo(t, "strict-sni");
  for (const servername of ["else.example.com", undefined]) {
    await assert.rejects(
      secure({ port: gate.port(), ...(servername !== undefined && { servername }) }),
      /unrecognized name|ERR_SSL_TLSV1_UNRECOGNIZED_NAME/i,
    );
  }
  const told = await gate.told("the refusal", isHandshake);
  assert.equal(told.reason, "unknown_server_name");
  const socket = await secure({ port: gate.port(), servername: "one.example.com", ca: one.caPem });
  assert.equal((await ask1(socket, "/")).status, 200);
  socket.destroy();
  await gate.empty();
});

describe("TLS versions", () => {
  const cases = [
    { bind: "", max: "TLSv1.2", spoken: "TLSv1.2" },
    { bind: "", max: "TLSv1.1", spoken: undefined },
    { bind: "ssl-min-ver TLSv1.3", max: "TLSv1.3", spoken: "TLSv1.3" },
    { bind: "ssl-min-ver TLSv1.3", max: "TLSv1.2", spoken: undefined },
    { bind: "ssl-max-ver TLSv1.2", max: "TLSv1.3", spoken: "TLSv1.2" },
  ] as const;
  for (const { bind, max, spoken } of cases) {
    test(`"${bind}": a client up to ${max} ${spoken ? `speaks ${spoken}` : "is refused"}`, async (t) => {
      const gate = await gateTo(t, bind);
      const minVersion = max === "TLSv1.1" ? "TLSv1" : "TLSv1.2";
      const trying = secure({ port: gate.port(), minVersion, maxVersion: max });
      if (spoken === undefined) {
        await assert.rejects(trying);
        assert.equal((await gate.told("the refusal", isHandshake)).reason, "handshake_failed");
      } else {
        const socket = await trying;
        assert.equal(socket.getProtocol(), spoken);
        assert.equal((await ask1(socket, "/")).status, 200);
        socket.destroy();
      }
      await gate.empty();
    });
  }
});

describe("resumption", () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`${version}: a client's second connection goes on with its session, and so does the gate's own`, async (t) => {
      const server = await startUpstream({
        tls: secret(),
        speaks: "h1",
      });
      t.after(() => server.close());
      const gate = await gateTo(t, "", { port: server.port, server: `ssl-max-ver ${version}` });
      // The probe that learns what the server speaks makes a connection of its own.
      const first = await secure({ port: gate.port(), maxVersion: version });
      const session = sessionOf(first, version);
      assert.equal((await ask1(first, "/")).status, 200);
      const ticket = await session;
      first.destroy();
      await gate.empty();
      const before = server.resumed.length;
      const second = await secure({
        port: gate.port(),
        maxVersion: version,
        ...(ticket && { session: ticket }),
      });
      assert.equal(second.isSessionReused(), true);
      assert.equal((await ask1(second, "/")).status, 200);
      second.destroy();
      assert.deepEqual(server.resumed.slice(before), [true]);
      await gate.empty();
    });
  }
});

/** The session that the next connection may go on with; TLS 1.3 brings it after the handshake. */
async function sessionOf(socket: tls.TLSSocket, version: string): Promise<Buffer | undefined> {
  if (version === "TLSv1.2") return socket.getSession();
  const [ticket] = (await once(socket, "session")) as [Buffer];
  return ticket;
}

describe("ALPN end to end", () => {
  const both = "alpn h2,http/1.1";
  const cases = [
    { name: "both speak both: h2", bind: both, offers: ["h2", "http/1.1"], speaks: "both", spoken: "h2" },
    {
      name: "the client prefers h1: the gate chooses",
      bind: both,
      offers: ["http/1.1", "h2"],
      speaks: "both",
      spoken: "h2",
    },
    {
      name: "the client speaks h1 only",
      bind: both,
      offers: ["http/1.1"],
      speaks: "both",
      spoken: "http/1.1",
    },
    { name: "the client offers nothing: h1", bind: both, offers: undefined, speaks: "both", spoken: false },
    {
      name: "the server speaks h1 only",
      bind: both,
      offers: ["h2", "http/1.1"],
      speaks: "h1",
      spoken: "http/1.1",
    },
    { name: "the server speaks h2 only", bind: both, offers: ["h2", "http/1.1"], speaks: "h2", spoken: "h2" },
    {
      name: "the bind answers nothing",
      bind: "no-alpn",
      offers: ["h2", "http/1.1"],
      speaks: "both",
      spoken: false,
    },
    {
      name: "the bind offers h1 only",
      bind: "alpn http/1.1",
      offers: ["h2", "http/1.1"],
      speaks: "both",
      spoken: "http/1.1",
    },
    {
      name: "h2 to a server that speaks h1 only",
      bind: both,
      offers: ["h2"],
      speaks: "h1",
      spoken: undefined,
    },
    {
      name: "h1 to a server that speaks h2 only",
      bind: both,
      offers: ["http/1.1"],
      speaks: "h2",
      spoken: undefined,
    },
    {
      name: "nothing in common with the bind",
      bind: "alpn h2",
      offers: ["http/1.1"],
      speaks: "both",
      spoken: undefined,
    },
  ] as const;
  for (const learnt of [true, false]) {
    for (const { name, bind, offers, speaks, spoken } of cases) {
      test(`${name} (${learnt ? "the server is known" : "nothing is known of the server yet"})`, async (t) => {
        const server = await startUpstream({ tls: secret(), speaks });
        t.after(() => server.close());
        const gate = await gateTo(t, bind, { port: server.port });
        if (learnt) await known(gate);
        const trying = secure({ port: gate.port(), ...(offers && { alpn: offers }) });
        if (spoken === undefined && !learnt && bind === both) {
          // It was asked, and did not want: the client hears why in its own protocol.
          assert.equal((await trying).alpnProtocol, offers?.[0]);
          (await trying).destroy();
        } else if (spoken === undefined) {
          await assert.rejects(trying, /no application protocol|NO_APPLICATION_PROTOCOL/i);
        } else {
          const socket = await trying;
          assert.equal(socket.alpnProtocol, spoken);
          if (spoken !== "h2") {
            const answer = await ask1(socket, "/");
            assert.deepEqual([answer.status, versionOf(answer.text)], [200, "1.1"]);
          }
          socket.destroy();
        }
        await gate.empty();
      });
    }
  }

  test("no ALPN, to a server that speaks h2 only: 503, and the lane is not fed the wrong protocol", async (t) => {
    const server = await startUpstream({ tls: secret(), speaks: "h2" });
    t.after(() => server.close());
    const gate = await gateTo(t, both, { port: server.port });
    const socket = await secure({ port: gate.port() });
    assert.equal((await ask1(socket, "/x")).status, 503);
    await gate.empty();
  });

  test("a gate that was there before its server learns what it speaks", async (t) => {
    const port = await freePort();
    const gate = await gateTo(t, both, { port });
    const session = await session2({ port: gate.port() });
    assert.equal((await ask2(session, "/x")).status, 503);
    session.destroy();
    const server = await startUpstream({ port, tls: secret() });
    t.after(() => server.close());
    const again = await session2({ port: gate.port() });
    assert.equal(versionOf((await ask2(again, "/x")).text), "2.0");
    again.destroy();
    await known(gate);
    await gate.empty();
  });

  test("a server that changes what it speaks: the next lanes follow", async (t) => {
    const former = await startUpstream({ tls: secret() });
    const gate = await gateTo(t, both, { port: former.port });
    await until("the probe", () => gate.pools.get("api")?.servers[0]?.prefers === "h2");
    await former.close();
    const server = await startUpstream({ tls: secret(), speaks: "h1", port: former.port });
    t.after(() => server.close());
    const spoken = await until("HTTP/1.1", async () => {
      const { stdout } = await runToEnd("curl", ["-sk", `https://127.0.0.1:${gate.port()}/`]);
      return stdout.startsWith('{"name"') && versionOf(stdout);
    });
    assert.equal(spoken, "1.1");
    await gate.empty();
  });

  test("curl --http1.1 and --http2, and openssl s_client -alpn, get what they ask for", async (t) => {
    const gate = await gateTo(t, both);
    const url = `https://one.example.com:${gate.port()}/x`;
    const curl = ["-sS", "--cacert", one.ca, "--resolve", `one.example.com:${gate.port()}:127.0.0.1`];
    for (const [flag, seen, version] of [
      ["--http1.1", "1.1", "1.1"],
      ["--http2", "2", "2.0"],
    ] as const) {
      const { code, stdout, stderr } = await runToEnd("curl", [
        ...curl,
        flag,
        "-w",
        "\n%{http_version}",
        url,
      ]);
      assert.equal(code, 0, stderr);
      const [body = "", told] = stdout.split("\n");
      assert.deepEqual([told, versionOf(body)], [seen, version]);
    }
    for (const protocol of ["h2", "http/1.1"]) {
      const client = start("openssl", [
        "s_client",
        "-connect",
        `127.0.0.1:${gate.port()}`,
        "-alpn",
        protocol,
      ]);
      t.after(() => client.stop("SIGKILL"));
      await client.wrote(new RegExp(`^ALPN protocol: ${protocol}$`, "m"));
    }
    const none = start("openssl", ["s_client", "-connect", `127.0.0.1:${gate.port()}`, "-alpn", "spdy/3"]);
    t.after(() => none.stop("SIGKILL"));
    await none.wrote(/alert no application protocol/);
  });
});

describe("client certificates at the gate", () => {
  let strangerKeys: { cert: string; key: string };
  let friendKeys: { cert: string; key: string };
  let clients: string;

  before(async () => {
    const [authority, other] = await Promise.all([
      createAuthority({ commonName: "clients CA" }),
      createAuthority({ commonName: "other CA" }),
    ]);
    const [friend, stranger] = await Promise.all([
      issueClientCertificate(authority, { user: "jane" }),
      issueClientCertificate(other, { user: "mallory" }),
    ]);
    friendKeys = { cert: friend.certificatePem, key: friend.keyPem };
    strangerKeys = { cert: stranger.certificatePem, key: stranger.keyPem };
    clients = await folder.write("clients-ca.crt", authority.certificatePem);
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const verify of ["required", "optional"] as const) {
      test(`verify ${verify}, ${version}: only whom the CA signed${verify === "optional" ? ", or nobody" : ""}`, async (t) => {
        const server = await startUpstream({ tls: secret(), speaks: "h1" });
        t.after(() => server.close());
        const gate = await gateTo(t, `verify ${verify} ca-file ${clients}`, { port: server.port });
        const ask = async (keys: { cert: string; key: string } | undefined) => {
          const socket = await secure({ port: gate.port(), maxVersion: version, ...keys });
          return (await ask1(socket, "/")).status;
        };
        await known(gate);
        const before = server.taken;
        await assert.rejects(ask(strangerKeys));
        if (verify === "required") {
          await assert.rejects(ask(undefined));
          assert.equal(server.taken, before, "nobody is dialled for a client without a certificate");
        } else assert.equal(await ask(undefined), 200);
        assert.equal(await ask(friendKeys), 200);
        assert.equal((await gate.told("the refusal", isHandshake)).reason, "handshake_failed");
      });
    }
  }

  test("a session of a refused client is not resumed into a trusted one", async (t) => {
    const gate = await gateTo(t, `verify required ca-file ${clients}`);
    const socket = tls.connect({
      port: gate.port(),
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ...strangerKeys,
    });
    socket.on("error", () => {});
    const tickets: Buffer[] = [];
    socket.on("session", (ticket: Buffer) => tickets.push(ticket));
    socket.resume();
    await once(socket, "close");
    for (const session of tickets) {
      await assert.rejects(async () => {
        const again = await secure({ port: gate.port(), session });
        await ask1(again, "/");
      });
    }
  });
});

test("a client that knows no name of the gate causes nothing behind it before it has shaken hands", async (t) => {
  const server = await startUpstream({ tls: secret(), speaks: "h1" });
  t.after(() => server.close());
  const gate = await gateTo(t, "", { port: server.port });
  await known(gate);
  const before = server.taken;
  await assert.rejects(secure({ port: gate.port(), maxVersion: "TLSv1.1", minVersion: "TLSv1" }));
  await gate.told("the refusal", isHandshake);
  await gate.empty();
  assert.equal(server.taken, before);
});

/** The probe at the start has learnt what the server speaks; of one that speaks h1 only it asks no more then. */
async function known(gate: GateUnderTest): Promise<void> {
  await until("the probe", () => gate.pools.get("api")?.servers[0]?.alpn !== undefined);
}

function versionOf(text: string): string {
  return (JSON.parse(text) as Told).version;
}
