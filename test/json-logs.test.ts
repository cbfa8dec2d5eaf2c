import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request, type Sandbox, startSandbox } from "../src/sandbox/index.ts";
import { type Folder, temporaryFolder, writeCertificates } from "./support/folder.ts";
import { freePort, postern } from "./support/process.ts";

let folder: Folder;
let sandbox: Sandbox;
let ca: string;

before(async () => {
  folder = await temporaryFolder();
  const own = await writeCertificates(folder, "api", ["127.0.0.1"]);
  ca = own.caPem;
  sandbox = await startSandbox({ tls: { cert: own.certificatePem, key: own.keyPem } });
});

after(async () => {
  await sandbox.close();
  await folder.remove();
});

test("--json-logs writes a request as one JSON object, to stdout where the file logs nowhere", async () => {
  const port = await freePort();
  const file = await folder.write(
    "haproxy.cfg",
    `defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend outside
    bind 127.0.0.1:${port} ssl crt ${folder.file("api.pem")} alpn h2,http/1.1
    default_backend api
backend api
    server one 127.0.0.1:${sandbox.port} ssl verify required ca-file ${folder.file("api-ca.crt")} verifyhost 127.0.0.1
`,
  );
  const gate = postern(["run", "-f", file, "--json-logs"]);
  try {
    await gate.wrote(/^listening on/m);
    await request(
      { url: `https://127.0.0.1:${port}`, ca },
      "/api/v1/namespaces/default/pods?token=not-to-be-seen",
    );
    const [line] = await gate.wrote(/^\{.*"verb".*\}$/m);
    const entry = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(
      {
        frontend: entry.frontend,
        backend: entry.backend,
        server: entry.server,
        status: entry.status,
        method: entry.method,
      },
      { frontend: "outside", backend: "api", server: "one", status: 403, method: "GET" },
    );
    assert.deepEqual(
      { verb: entry.verb, resource: entry.resource, namespace: entry.namespace },
      { verb: "list", resource: "pods", namespace: "default" },
    );
    assert.ok(!gate.output().includes("not-to-be-seen"));
  } finally {
    await gate.stop();
  }
});
