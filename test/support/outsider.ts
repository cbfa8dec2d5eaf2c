import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { Folder } from "./folder.ts";
import { type KubectlVersion, kubectl } from "./kubectl.ts";
import { runToEnd } from "./process.ts";

/** What a program outside the cluster printed. */
export interface Printed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The `cluster` of a kubeconfig. */
export interface ClusterEntry {
  readonly server: string;
  readonly "insecure-skip-tls-verify"?: boolean;
  /** Path of a PEM file. */
  readonly "certificate-authority"?: string;
  readonly "tls-server-name"?: string;
}

export interface OutsideKubectl {
  readonly version: KubectlVersion;
  readonly cluster: ClusterEntry;
  readonly token: string;
  /** Where it remembers what it has learnt of servers; a new folder below the test's when left out. */
  readonly home?: string;
}

/** Runs kubectl as somebody outside who has nothing but a kubeconfig. */
export async function runKubectl(
  folder: Folder,
  { version, cluster, token, home }: OutsideKubectl,
  ...args: readonly string[]
): Promise<Printed> {
  const kept = home ?? (await newHome(folder));
  const config = join(await newHome(folder), "kubeconfig");
  await folder.write(config.slice(folder.path.length + 1), kubeconfig(cluster, token));
  return runToEnd(await kubectl(version), args, {
    PATH: process.env.PATH,
    HOME: kept,
    KUBECONFIG: config,
  });
}

/** An empty folder. */
export function newHome(folder: Folder): Promise<string> {
  return mkdtemp(folder.file("home-"));
}

/** Runs curl without a word about its progress. */
export function curl(...args: readonly string[]): Promise<Printed> {
  return runToEnd("curl", ["--silent", "--show-error", "--max-time", "15", ...args]);
}

function kubeconfig(cluster: ClusterEntry, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "gate", cluster }],
    users: [{ name: "me", user: { token } }],
    contexts: [{ name: "gate", context: { cluster: "gate", user: "me" } }],
    "current-context": "gate",
  });
}
