import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import * as tls from "node:tls";
import { ask1, plain, secure } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isRequest, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

describe("a client's TLS, once it stands", () => {
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
    gate = await startGate(`${DEFAULTS}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${one.bundle}
    default_backend api
backend api
    server one 127.0.0.1:${upstream.port} ssl verify none
`);
  });

  after(async () => {
    await gate?.close();
    await upstream?.close();
    await folder?.remove();
  });

  test("a record that is broken ends the lane at once, not at its timeout", async () => {
    const raw = await plain(gate.port());
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    await until("the lane", () => gate.gate.openLanes === 1);
    raw.write(Buffer.concat([Buffer.from([0x17, 3, 3, 0, 40]), Buffer.alloc(40, 7)]));
    await gate.empty();
  });

  test("TLS 1.2: a client that renegotiates is refused", async () => {
    const socket = await secure({ port: gate.port(), maxVersion: "TLSv1.2" });
    const refusal = await new Promise<Error | null>((resolve) => {
      socket.renegotiate({ rejectUnauthorized: false }, resolve);
      socket.on("error", resolve);
    });
    assert.match(String(refusal), /no renegotiation/);
    socket.destroy();
    await gate.empty();
  });

  test("its version, and where it connected to, are told with its requests", async () => {
    await ask1(await secure({ port: gate.port(), maxVersion: "TLSv1.2" }), "/facts");
    const { lane } = await gate.told("the request", isRequest);
    assert.equal(lane.tlsVersion, "TLSv1.2");
    assert.equal(lane.localAddress, "127.0.0.1");
    assert.equal(lane.localPort, gate.port());
  });
});
