import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Api, StreamKind } from "./api.ts";
import { startListener } from "./listener.ts";
import type { SandboxOptions, SeenRequest } from "./options.ts";
import { portOf, startPodPorts } from "./pod-ports.ts";
import { Pods } from "./pods.ts";
import { seed } from "./seed.ts";
import { Store } from "./store.ts";

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
