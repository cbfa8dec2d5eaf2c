import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { type ClientHttp2Session, connect } from "node:http2";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { freePort, untilListening } from "../support/process.ts";

// What a pipe and both its ends hold is some hundred KB; these requests log 2 MB, and nobody reads it.
const REQUESTS = 2_000;
const LONG_PATH = `/version?${"x".repeat(1_500)}`;
const AT_ONCE = 50;
const LIMIT_MS = 20_000;

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

function get(session: ClientHttp2Session, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path });
    stream.on("response", (headers) => resolve(Number(headers[":status"])));
    stream.on("error", reject);
    stream.resume();
  });
}

test("a log reader that stands still does not hold up the requests", async () => {
  const port = await freePort();
  const file = await folder.write(
    "haproxy.cfg",
    `global
    log stdout format raw local0
defaults
    log global
    mode http
    option httplog
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend f
    bind 127.0.0.1:${port} ssl crt ${folder.file("api.pem")} alpn h2,http/1.1
    default_backend b
backend b
    server s 127.0.0.1:${sandbox.port} ssl verify required ca-file ${folder.file("api-ca.crt")} verifyhost 127.0.0.1
`,
  );
  const cli = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
  // Its stdout is a pipe that is never read.
  const gate = spawn(process.execPath, [cli, "run", "-f", file], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await untilListening(port);
    const session = connect(`https://127.0.0.1:${port}`, { ca });
    session.on("error", () => {}); // told by the streams
    const late = setTimeout(() => session.destroy(new Error("the gate stands still")), LIMIT_MS);
    for (let done = 0; done < REQUESTS; done += AT_ONCE) {
      const statuses = await Promise.all(Array.from({ length: AT_ONCE }, () => get(session, LONG_PATH)));
      assert.ok(statuses.every((status) => status === 200));
    }
    clearTimeout(late);
    session.destroy();
  } finally {
    gate.kill("SIGKILL");
  }
});
