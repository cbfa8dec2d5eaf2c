import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Configuration } from "../../src/model/index.ts";
import { createAuthority, issueClientCertificate } from "../../src/pki/index.ts";
import { ask1, ask2, plain, restOf, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isLane, isRequest, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { freePort, runToEnd } from "../support/process.ts";
import { startUpstream, type Told, type Upstream } from "../support/upstream.ts";

type Certificates = Awaited<ReturnType<typeof writeCertificates>>;

let folder: Folder;
let gateCertificates: Certificates;
let api: Certificates;
const upstreams = new Map<string, Upstream>();

before(async () => {
  folder = await temporaryFolder();
  gateCertificates = await writeCertificates(folder, "gate", ["*.example.com", "*.two.example.com"]);
  api = await writeCertificates(folder, "api", ["kubernetes"]);
  for (const name of ["one", "two", "other"]) {
    upstreams.set(name, await startUpstream({ name, tls: { cert: api.certificatePem, key: api.keyPem } }));
  }
});

after(async () => {
  for (const upstream of upstreams.values()) await upstream.close();
  await folder?.remove();
});

function backends(...names: readonly string[]): string {
  return names
    .map((name) => `backend ${name}\n    server s 127.0.0.1:${upstreams.get(name)?.port} ssl verify none\n`)
    .join("");
}

function withRules(rules: string): Promise<GateUnderTest> {
  return startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${gateCertificates.bundle} alpn h2,http/1.1
    use_backend one if { ssl_fc_sni -i one.example.com }
    use_backend two if { ssl_fc_sni -i -m end .two.example.com }
    ${rules}
${backends("one", "two", "other")}`);
}

describe("routes by server name", () => {
  let gate: GateUnderTest;
  let strict: GateUnderTest;

  before(async () => {
    gate = await withRules("default_backend other");
    strict = await withRules("");
  });
  after(async () => {
    await gate?.close();
    await strict?.close();
  });

  const cases = [
    { servername: "one.example.com", leadsTo: "one" },
    { servername: "ONE.example.COM", leadsTo: "one" },
    { servername: "a.two.example.com", leadsTo: "two" },
    { servername: "a.b.Two.example.com", leadsTo: "two" },
    { servername: "two.example.com", leadsTo: "other" },
    { servername: "three.example.com", leadsTo: "other" },
    { servername: undefined, leadsTo: "other" },
  ];
  for (const { servername, leadsTo } of cases) {
    for (const version of ["1.1", "2.0"] as const) {
      test(`${servername ?? "no name"} leads to ${leadsTo} by HTTP/${version}, without a default ${leadsTo === "other" ? "to 503" : "too"}`, async () => {
        const ask = async (to: GateUnderTest) => {
          const want = { port: to.port(), ...(servername !== undefined && { servername }) };
          const host = servername ?? "127.0.0.1";
          if (version === "1.1") return ask1(await secure(want), "/x", { host });
          const session = await session2(want);
          return ask2(session, "/x", { authority: host }).finally(() => session.destroy());
        };
        const answer = await ask(gate);
        const told = JSON.parse(answer.text) as Told;
        assert.deepEqual([answer.status, told.name, told.version], [200, leadsTo, version]);
        const refused = await ask(strict);
        if (leadsTo !== "other") assert.equal((JSON.parse(refused.text) as Told).name, leadsTo);
        else {
          assert.equal(refused.status, 503);
          assert.match(refused.text, /no cluster is configured at this gate for the name you used/);
        }
      });
    }
  }

  test("421: an h2 client that coalesces asks again on a connection of its own; its lane goes on", async () => {
    const session = await session2({ port: gate.port(), servername: "one.example.com" });
    assert.equal((await ask2(session, "/x", { authority: "one.example.com" })).status, 200);
    const wrong = await ask2(session, "/coalesced", { authority: "a.two.example.com" });
    assert.equal(wrong.status, 421);
    assert.match(wrong.text, /this connection was made for another server name/);
    assert.equal((await ask2(session, "/x", { authority: "one.example.com:6443" })).status, 200);
    assert.equal(
      (await ask2(session, "/x", { authority: "10.0.0.1" })).status,
      200,
      "an unknown name passes",
    );
    session.destroy();
    assert.ok(upstreams.get("two")?.requests.every((line) => !line.includes("coalesced")));
  });

  test("421 by HTTP/1.1 as well, and the connection goes on", async () => {
    const socket = await secure({ port: gate.port(), servername: "one.example.com" });
    const rest = restOf(socket);
    socket.write("GET /a HTTP/1.1\r\nHost: a.two.example.com\r\n\r\n");
    socket.write("GET /b HTTP/1.1\r\nHost: one.example.com\r\nConnection: close\r\n\r\n");
    const statuses = [...(await rest).toString().matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
    assert.deepEqual(statuses, ["421", "200"]);
  });
});

test("mode http without TLS on either side: heads are edited all the same", async (t) => {
  const upstream = await startUpstream({ name: "plain" });
  t.after(() => upstream.close());
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:8080
    default_backend api
backend api
    server s 127.0.0.1:${upstream.port}
`);
  t.after(() => gate.close());
  const { code, stdout } = await runToEnd("curl", [
    ...["-sS", "-H", "X-Remote-User: admin", "-H", "X-Forwarded-For: 6.6.6.6"],
    ...[`http://127.0.0.1:${gate.port()}/a?b=c`, `http://127.0.0.1:${gate.port()}/again`],
  ]);
  assert.equal(code, 0);
  const [first] = stdout.split(/(?<=\})(?=\{)/);
  const told = JSON.parse(first ?? "") as Told;
  assert.equal(told.url, "/a?b=c");
  assert.equal(told.headers["x-forwarded-for"], "127.0.0.1");
  assert.equal(told.headers["x-remote-user"], undefined);
  assert.equal(upstream.requests.length, 2);
  await gate.empty();
  assert.equal(upstream.open, 0);
  assert.equal(gate.events.filter(isRequest).length, 2);
});

test("TLS from the client, plain text to the server: h2 clients are answered HTTP/1.1", async (t) => {
  const upstream = await startUpstream({ name: "plain" });
  t.after(() => upstream.close());
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${gateCertificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server s 127.0.0.1:${upstream.port}
`);
  t.after(() => gate.close());
  const socket = await secure({ port: gate.port(), alpn: ["h2", "http/1.1"] });
  assert.equal(socket.alpnProtocol, "http/1.1");
  assert.equal((JSON.parse((await ask1(socket, "/")).text) as Told).name, "plain");
  await gate.empty();
});

test("mode tcp: bytes pass both ways, and a half-closed connection is served to its end", async (t) => {
  const upstream = await startUpstream({ name: "plain" });
  t.after(() => upstream.close());
  const gate = await startGate(`${DEFAULTS.replace("mode http", "mode tcp")}
frontend gate
    bind 127.0.0.1:8080
    default_backend api
backend api
    server s 127.0.0.1:${upstream.port}
`);
  t.after(() => gate.close());
  const socket = await plain(gate.port(), { allowHalfOpen: true });
  socket.end("GET /big?1000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.ok((await restOf(socket)).length > 1_000_000);
  await gate.empty();
  const lane = await gate.told("the lane's end", isLane);
  assert.deepEqual([lane.termination, lane.reason, lane.bytesToClient > 1_000_000], ["--", undefined, true]);
});

test("mode tcp behind TLS: the client's TLS ends here, and what is inside passes", async (t) => {
  const upstream = await startUpstream({ name: "plain" });
  t.after(() => upstream.close());
  const gate = await startGate(`${DEFAULTS.replace("mode http", "mode tcp")}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${gateCertificates.bundle} alpn http/1.1
    default_backend api
backend api
    server s 127.0.0.1:${upstream.port}
`);
  t.after(() => gate.close());
  const socket = await secure({
    port: gate.port(),
    alpn: ["http/1.1"],
    servername: "x.example.com",
    ca: gateCertificates.caPem,
  });
  assert.equal(socket.alpnProtocol, "http/1.1");
  assert.equal((JSON.parse((await ask1(socket, "/")).text) as Told).name, "plain");
  await gate.empty();
});

describe("passthrough beside termination on one port", () => {
  let untouched: Upstream;
  let friend: { cert: string; key: string };

  before(async () => {
    const clients = await createAuthority({ commonName: "cluster CA" });
    const issued = await issueClientCertificate(clients, { user: "jane" });
    friend = { cert: issued.certificatePem, key: issued.keyPem };
    untouched = await startUpstream({
      name: "untouched",
      tls: { cert: api.certificatePem, key: api.keyPem, ca: clients.certificatePem },
    });
  });
  after(() => untouched?.close());

  async function check(gate: GateUnderTest): Promise<void> {
    const port = gate.port("gate");
    for (const name of ["pass.example.com", "PASS.Example.com"]) {
      const direct = await secure({ port, servername: name, alpn: ["http/1.1"], ...friend });
      assert.equal(direct.getPeerCertificate().issuer.CN, "api CA", "the server's own certificate");
      const told = JSON.parse((await ask1(direct, "/x", { host: name })).text) as Told;
      assert.deepEqual([told.name, told.client, told.serverName], ["untouched", "jane", name]);
      assert.equal(told.headers["x-forwarded-for"], undefined, "nobody touched it");
    }
    const session = await session2({ port, servername: "pass.example.com", ...friend });
    assert.equal((JSON.parse((await ask2(session, "/x")).text) as Told).version, "2.0");
    session.destroy();
    const ended = await session2({ port, servername: "one.example.com", ca: gateCertificates.caPem });
    const told = JSON.parse((await ask2(ended, "/x", { authority: "one.example.com" })).text) as Told;
    assert.deepEqual([told.name, told.client], ["one", undefined]);
    ended.destroy();
    await gate.empty();
    const lanes = gate.events
      .filter(isLane)
      .filter(({ lane }) => lane.serverName?.toLowerCase() === "pass.example.com");
    assert.deepEqual(
      lanes.map(({ termination }) => termination.length),
      [2, 2, 2],
    );
  }

  test("as haproxy.cfg has it: the terminating frontend behind the passing one, on loopback", async (t) => {
    const [outer, inner] = [await freePort(), await freePort()];
    const gate = await startGate(
      `${DEFAULTS}
frontend gate
    mode tcp
    bind 127.0.0.1:${outer}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend pass if { req.ssl_sni -i pass.example.com }
    default_backend inner
frontend inner
    bind 127.0.0.1:${inner} ssl crt ${gateCertificates.bundle} alpn h2,http/1.1
    default_backend one
backend pass
    mode tcp
    server s 127.0.0.1:${untouched.port}
backend inner
    mode tcp
    server s 127.0.0.1:${inner}
${backends("one")}`,
      { keepPorts: true },
    );
    t.after(() => gate.close());
    await check(gate);
  });

  test("as the model has it: one frontend, the route says what becomes of the TLS", async (t) => {
    const gate = await startGate(
      `${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${gateCertificates.bundle} alpn h2,http/1.1
    use_backend one if { ssl_fc_sni -i one.example.com }
    use_backend two if { ssl_fc_sni -i pass.example.com }
${backends("one", "two")}`,
      { change: (configuration) => passThrough(configuration, "two", untouched.port) },
    );
    t.after(() => gate.close());
    await check(gate);
  });
});

/** The routes to a backend pass TLS on, and the backend is mere bytes to that port. */
function passThrough(configuration: Configuration, name: string, port: number): Configuration {
  const backends = new Map(configuration.backends);
  const backend = backends.get(name);
  assert.ok(backend);
  const servers = backend.servers.map(({ tls: _tls, ...server }) => ({ ...server, port }));
  backends.set(name, { ...backend, mode: "tcp", kubernetes: false, servers });
  const frontends = configuration.frontends.map((frontend) => ({
    ...frontend,
    routes: frontend.routes.map((route) =>
      route.backend === name ? { ...route, tls: "passthrough" as const } : route,
    ),
  }));
  return { ...configuration, backends, frontends };
}
