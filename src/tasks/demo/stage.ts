import { randomBytes } from "node:crypto";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeKubeconfig } from "../../formats/kubeconfig/index.ts";
import { formatDiagnostic } from "../../model/index.ts";
import {
  createAuthority,
  issueServerCertificate,
  writePublicFile,
  writeSecretFile,
} from "../../pki/index.ts";
import { type ApiTarget, mastersGroup, type Sandbox, startSandbox } from "../../sandbox/index.ts";
import type { Engine } from "../../serve/index.ts";
import { listen } from "../../socket/index.ts";
import { configure } from "../configure.ts";
import { TaskFailure } from "../failure.ts";
import { startGate } from "../run.ts";

/** Everything the demo runs, in one folder. */
export interface Stage {
  readonly folder: string;
  readonly files: { readonly kubeconfig: string; readonly configuration: string; readonly log: string };
  readonly sandbox: Sandbox;
  readonly engine: Engine;
  /** The API as a person outside reaches it: through the gate, verified. */
  readonly gate: ApiTarget & { readonly port: number; readonly ca: string; readonly token: string };
  /** What the gate wrote so far. */
  readLog(): string;
  close(): Promise<void>;
}

const GATE_NAME = "demo.postern.example";

/**
 * Makes a private CA, starts the sandbox and a gate in front of it that runs a haproxy.cfg, and writes a kubeconfig.
 * @param folder  where everything goes; undefined: a temporary folder, removed at the end
 * @throws TaskFailure when the folder cannot be written
 */
export async function openStage(folder: string | undefined): Promise<Stage> {
  const place = folder ?? mkdtempSync(join(tmpdir(), "postern-demo-"));
  makeFolder(place);
  const file = (name: string) => join(place, name);
  const authority = await createAuthority({ commonName: "Postern demo CA", days: 7 });
  const ofApi = await issueServerCertificate(authority, { hosts: ["kubernetes", "127.0.0.1"], days: 7 });
  const ofGate = await issueServerCertificate(authority, {
    hosts: [GATE_NAME, "localhost", "127.0.0.1"],
    days: 7,
  });
  const again = { overwrite: true };
  writePublicFile(file("ca.crt"), authority.certificatePem, again);
  writeSecretFile(file("gate.pem"), ofGate.certificatePem + ofGate.keyPem, again);

  const token = `demo-${randomBytes(16).toString("base64url")}`;
  const sandbox = await startSandbox({
    tls: { cert: ofApi.certificatePem, key: ofApi.keyPem },
    ca: authority.certificatePem,
    tokens: { [token]: { name: "demo", groups: [mastersGroup] } },
  });
  const port = await freePort();
  writeFileSync(file("haproxy.cfg"), configurationText(place, port, sandbox.port));
  writeSecretFile(
    file("kubeconfig"),
    writeKubeconfig({
      contextName: "postern-demo",
      server: `https://127.0.0.1:${port}`,
      trust: { kind: "ca", pem: authority.certificatePem },
      credential: { kind: "token", token },
    }),
    again,
  );

  const log = createWriteStream(file("gate.log"));
  const engine = await startEngine(file("haproxy.cfg"), log).catch(async (error: unknown) => {
    await sandbox.close();
    throw error;
  });
  return {
    folder: place,
    files: { kubeconfig: file("kubeconfig"), configuration: file("haproxy.cfg"), log: file("gate.log") },
    sandbox,
    engine,
    gate: { url: `https://127.0.0.1:${port}`, port, ca: authority.certificatePem, token },
    readLog: () => readFileSync(file("gate.log"), "utf8"),
    async close() {
      await engine.stop(0);
      await sandbox.close();
      await new Promise<void>((resolve) => log.end(resolve));
      if (folder === undefined) rmSync(place, { recursive: true, force: true });
    },
  };
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new TaskFailure(`cannot make the folder ${path}: ${(error as NodeJS.ErrnoException).message}`);
  }
}

/** The recipe's second example, as a person would write it for this machine. */
function configurationText(folder: string, port: number, apiPort: number): string {
  return `global
    log stdout format raw local0

defaults
    log global
    mode http
    option httplog
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
    timeout tunnel 86400s
    timeout client-fin 10s

frontend demo
    bind 127.0.0.1:${port} ssl crt ${folder}/gate.pem alpn h2,http/1.1
    default_backend kube_apiserver

backend kube_apiserver
    balance leastconn
    server sandbox 127.0.0.1:${apiPort} check ssl verify required ca-file ${folder}/ca.crt verifyhost kubernetes
`;
}

/** What the gate writes goes to one file: the terminal is for the demo. */
async function startEngine(configuration: string, log: NodeJS.WritableStream): Promise<Engine> {
  const { problems, ready } = configure(configuration, {});
  if (ready === undefined) throw new Error(problems.map(formatDiagnostic).join("\n"));
  const onProblem = (sentence: string) => log.write(`${sentence}\n`);
  return startGate({ ...ready, output: { stdout: log, stderr: log, pid: process.pid, onProblem } });
}

async function freePort(): Promise<number> {
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    onAccept: (raw) => raw.destroy(),
    onError() {},
  });
  listener.close();
  return listener.port;
}
