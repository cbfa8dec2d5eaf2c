import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import type { Notice } from "../../src/events/index.ts";
import type { Guard } from "../../src/policy/index.ts";
import { ask1, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

/** Stands for a mistake in the gate that some request brings to light. */
const mistaken: Guard = ({ target }) => {
  if (target === "/mistake") throw new RangeError("out of range");
  return { kind: "pass" };
};

describe("a mistake of the gate's own that a request brings to light", () => {
  let folder: Folder;
  let upstream: Upstream;
  let gate: GateUnderTest;

  before(async () => {
    folder = await temporaryFolder();
    const [one, api] = await Promise.all([
      writeCertificates(folder, "one", ["one.example.com"]),
      writeCertificates(folder, "api", ["kubernetes"]),
    ]);
    upstream = await startUpstream({ tls: { cert: api.certificatePem, key: api.keyPem } });
    const text = `${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${one.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server one 127.0.0.1:${upstream.port} ssl verify none
`;
    gate = await startGate(text, { guard: mistaken });
  });

  after(async () => {
    await gate?.close();
    await upstream?.close();
    await folder?.remove();
  });

  for (const protocol of ["h1", "h2"] as const) {
    test(`${protocol}: its lane ends and is told of, the others go on`, async () => {
      const other = await secure({ port: gate.port() });
      const told = gate.events.length;
      if (protocol === "h1") {
        const socket = await secure({ port: gate.port() });
        await assert.rejects(ask1(socket, "/mistake"));
      } else {
        const session = await session2({ port: gate.port() });
        session.request({ ":path": "/mistake" }).on("error", () => {});
        await once(session, "close");
      }
      const alert = await gate.told(
        "the alert",
        (event): event is Notice => event.kind === "notice" && gate.events.indexOf(event) >= told,
      );
      assert.equal(alert.level, "alert");
      assert.match(
        alert.text,
        /^a fault of the gate itself ended the connection of 127\.0\.0\.1:\d+: out of range$/,
      );
      assert.match(alert.stack ?? "", /^RangeError: out of range\n +at .*contained\.test/);
      assert.equal((await ask1(other, "/")).status, 200);
      await gate.empty();
    });
  }
});

test("a mistake in a dial that runs beside the client's handshake ends its lane alone", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.remove());
  const one = await writeCertificates(folder, "one", ["one.example.com"]);
  const gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${one.bundle}
    use_backend api if { ssl_fc_sni one.example.com }
backend api
    server one 127.0.0.1:1
`);
  t.after(() => gate.close());
  const [server] = gate.pools.get("api")?.servers ?? [];
  assert.ok(server);
  server.countDials = () => {
    throw new RangeError("out of range");
  };
  const socket = await secure({ port: gate.port(), servername: "one.example.com" });
  socket.resume();
  await once(socket, "close");
  const alert = await gate.told("the alert", (event): event is Notice => event.kind === "notice");
  assert.match(alert.text, /: out of range$/);
  await gate.empty();
});
