import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Api, StreamKind } from "./api.ts";
import type { HeaderLines, User } from "./auth.ts";
import { startListener } from "./listener.ts";
import { portOf, startPodPorts } from "./pod-ports.ts";
import { Pods } from "./pods.ts";
import { seed } from "./seed.ts";
import { Store } from "./store.ts";
import type { UpgradeKinds } from "./streams/upgrade.ts";

export interface SandboxOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** PEM; the certificate may carry its chain. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** PEM of the CA that signed `tls.cert`, as ConfigMaps tell it; default: the certificate itself. */
  readonly ca?: string;
  /** PEM; clients may show a certificate signed by it: CN is the user, every O a group. */
  readonly clientCa?: string;
  /** Bearer token → user. Group `system:masters` may do everything, `sandbox:viewers` read. */
  readonly tokens?: Readonly<Record<string, User>>;
  /** What ALPN offers; default both. Without ALPN a client speaks HTTP/1.1. */
  readonly alpn?: readonly ("h2" | "http/1.1")[];
  /** Default both; without `websocket` clients fall back to SPDY. */
  readonly upgrades?: Partial<UpgradeKinds>;
  /** Folder for the pods' files; default: one in the system's temporary folder, removed at the end. */
  readonly root?: string;
  /** How often a pod logs a line; default 1000, 0: only by `appendLog`. */
  readonly logIntervalMs?: number;
  /** From a pod's creation to Running, and from its deletion to gone; default 100 each. */
  readonly podStartMs?: number;
  readonly podStopMs?: number;
  /** Between bookmarks of a watch; default 60 s. */
  readonly bookmarkMs?: number;
}

/** A request's head as the sandbox saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly httpVersion: string;
  readonly headers: HeaderLines;
  /** The TLS server name of its connection; "" when there was none. */
  readonly serverName: string;
}

export interface Sandbox {
  readonly host: string;
  readonly port: number;
  /** https://HOST:PORT */
  readonly url: string;
  /** The objects; what a test changes here, watches tell. */
  readonly store: Store;
  /** Heads of the requests so far, the newest last; at most 10,000. Tokens are in them: for tests only. */
  readonly requests: readonly SeenRequest[];
  /** Streams open now, of one kind or all. */
  openStreams(kind?: StreamKind): number;
  /** TCP connections open now. */
  openConnections(): number;
  /** Adds a line to a pod's log; default the pod `web` in `default`. */
  appendLog(line: string, name?: string, namespace?: string): void;
  /** The folder of a pod's files. */
  podRoot(name?: string, namespace?: string): string;
  /** Whether /readyz answers 200 or 500. */
  setReady(ready: boolean): void;
  /** Says GOAWAY(NO_ERROR) on every HTTP/2 connection; streams go on. */
  goaway(): void;
  /** Cuts every connection at once, without a goodbye. */
  cut(): void;
  /** Ends everything: connections, shells, timers, files. */
  close(): Promise<void>;
}

/**
 * Starts a small Kubernetes API.
 * @throws Error when it cannot listen or the certificate cannot be used
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), "postern-sandbox-"));
  const ca = options.ca ?? options.tls.cert;
  const store = new Store();
  const pods = new Pods(store, {
    root,
    logIntervalMs: options.logIntervalMs ?? 1_000,
    startMs: options.podStartMs ?? 100,
    stopMs: options.podStopMs ?? 100,
  });
  const podPorts = await startPodPorts();
  const streams = new Map<StreamKind, number>();
  const requests: SeenRequest[] = [];
  let isReady = true;
  const api: Api = {
    cluster: { store, pods, ca },
    tokens: new Map(Object.entries(options.tokens ?? {})),
    ports: podPorts.ports,
    bookmarkMs: options.bookmarkMs ?? 60_000,
    isReady: () => isReady,
    countStream: (kind, open) => streams.set(kind, (streams.get(kind) ?? 0) + (open ? 1 : -1)),
  };
  const close = async (): Promise<void> => {
    pods.close();
    await podPorts.close();
    if (options.root === undefined) rmSync(root, { recursive: true, force: true });
  };
  const listener = await startListener(options, api, (seen) => remember(requests, seen)).catch(
    async (error) => {
      await close();
      throw error;
    },
  );
  const host = options.host ?? "127.0.0.1";
  const port = portOf(listener.address);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  seed(store, pods, { address, ca });
  const keyOf = (name = "web", namespace = "default") => ({ name, namespace });
  return {
    host,
    port,
    url: `https://${address}`,
    store,
    requests,
    openStreams: (kind) =>
      kind === undefined
        ? [...streams.values()].reduce((sum, count) => sum + count, 0)
        : (streams.get(kind) ?? 0),
    openConnections: () => listener.openConnections(),
    appendLog: (line, name, namespace) => pods.logOf(keyOf(name, namespace)).append(line),
    podRoot: (name, namespace) => pods.rootOf(keyOf(name, namespace)),
    setReady: (ready) => {
      isReady = ready;
    },
    goaway: () => listener.goaway(),
    cut: () => listener.cut(),
    close: async () => {
      await listener.close();
      await close();
    },
  };
}

const requestsMax = 10_000;

function remember(requests: SeenRequest[], seen: SeenRequest): void {
  requests.push(seen);
  if (requests.length > requestsMax) requests.shift();
}
