import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAuthority, issueServerCertificate } from "../src/pki/index.ts";

/** A proxy under measurement. */
export interface Peer {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export interface Upstream {
  readonly folder: string;
  readonly port: number;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BODY_BYTES = 1_024;
const STOP_MS = 5_000;

/** nginx with a fixed answer of 1 KB over TLS 1.3, h1 and h2, one cipher. */
export async function startUpstream(): Promise<Upstream> {
  const folder = await mkdtemp(join(tmpdir(), "postern-bench-"));
  const authority = await createAuthority({ commonName: "bench CA" });
  const leaf = await issueServerCertificate(authority, { hosts: ["localhost", "127.0.0.1"] });
  const port = await freePort();
  await writeFile(join(folder, "ca.crt"), authority.certificatePem);
  await writeFile(join(folder, "server.crt"), leaf.certificatePem);
  await writeFile(join(folder, "server.key"), leaf.keyPem, { mode: 0o600 });
  await writeFile(join(folder, "bundle.pem"), leaf.certificatePem + leaf.keyPem, { mode: 0o600 });
  await writeFile(
    join(folder, "nginx.conf"),
    `worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port} ssl http2;
    http2_max_concurrent_streams 1000;
    ssl_certificate ${folder}/server.crt;
    ssl_certificate_key ${folder}/server.key;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    location / { default_type application/json; return 200 '${"x".repeat(BODY_BYTES)}'; }
  }
}
`,
  );
  const child = await startListening("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], port);
  return { folder, port, stop: () => stopChild(child) };
}

export async function startHaproxy(upstream: Upstream): Promise<Peer> {
  const { file, port } = await writeConfiguration(upstream, "haproxy");
  const child = await startListening("haproxy", ["-db", "-f", file], port);
  return peerOf("haproxy", child, port);
}

export async function startPostern(upstream: Upstream): Promise<Peer> {
  const { file, port } = await writeConfiguration(upstream, "postern");
  const child = await startListening(
    process.execPath,
    [join(ROOT, "bin", "postern"), "run", "-f", file],
    port,
  );
  return peerOf("postern", child, port);
}

/** The recipe's second example, with ALPN on the bind and the one cipher of this bench. */
async function writeConfiguration(upstream: Upstream, name: string): Promise<{ file: string; port: number }> {
  const port = await freePort();
  const file = join(upstream.folder, `${name}.cfg`);
  await writeFile(
    file,
    `global
    nbthread 1
    maxconn 8000

defaults
    mode http
    option forwardfor
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
    timeout tunnel 86400s

frontend frontend_all
    bind 127.0.0.1:${port} ssl crt ${upstream.folder}/bundle.pem alpn h2,http/1.1 ciphersuites TLS_AES_128_GCM_SHA256
    default_backend backend_kube_apiserver

backend backend_kube_apiserver
    balance leastconn
    server kube-apiserver 127.0.0.1:${upstream.port} check ssl verify required ca-file ${upstream.folder}/ca.crt verifyhost localhost
`,
  );
  return { file, port };
}

function peerOf(name: string, child: ChildProcess, port: number): Peer {
  if (child.pid === undefined) throw new Error(`${name} did not start`);
  return { name, pid: child.pid, port, stop: () => stopChild(child) };
}

/** Starts a server and waits until its port answers; its words on stderr are shown when it ends instead. */
async function startListening(command: string, args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr?.on("data", (chunk) => (words += chunk));
  const failed = new Promise<never>((_, reject) => {
    child.on("error", (error) => reject(new Error(`${command} is needed: ${error.message}`)));
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${words}`)));
  });
  failed.catch(() => {}); // after the start it is of no interest: stopping is an exit as well
  await Promise.race([answers(port), failed]);
  return child;
}

async function answers(port: number): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** SIGTERM, so that nginx takes its worker along; what has not ended then is killed. */
function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    child.on("close", () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
