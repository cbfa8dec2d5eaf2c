import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, clone, type JsonObject, type KubeObject, listAt, objectAt, textAt } from "./json.ts";
import { PodLog } from "./pod-log.ts";
import { resourceNamed } from "./resources.ts";
import { type Change, keyOf, type ObjectKey, type Store, timestamp } from "./store.ts";

export const nodeName = "sandbox-node";
export const nodeAddress = "10.0.0.10";

const pods = resourceNamed("pods");

export interface PodsOptions {
  /** Folder under which every pod's root lives, as NAMESPACE/NAME. */
  readonly root: string;
  /** How often a running pod writes a line to its log; 0: never by itself. */
  readonly logIntervalMs: number;
  /** From creation to Running, and from deletion to gone. */
  readonly startMs: number;
  readonly stopMs: number;
}

/**
 * What scheduler and kubelet do to pods: run them, write their logs, end them. A pod of the sandbox is a folder and a
 * log; nothing of its image runs.
 */
export class Pods {
  private readonly store: Store;
  private readonly options: PodsOptions;
  private readonly logs = new Map<string, PodLog>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly clock: NodeJS.Timeout | undefined;
  private readonly unfollow: () => void;
  private addresses = 10;
  private ticks = 0;

  constructor(store: Store, options: PodsOptions) {
    this.store = store;
    this.options = options;
    this.unfollow = store.follow(store.revision, (change) => this.observe(change));
    if (options.logIntervalMs > 0) this.clock = setInterval(() => this.tick(), options.logIntervalMs).unref();
  }

  /** The folder that stands for a pod's file system. */
  rootOf(key: ObjectKey): string {
    return join(this.options.root, key.namespace, key.name);
  }

  logOf(key: ObjectKey): PodLog {
    const name = `${key.namespace}/${key.name}`;
    const log = this.logs.get(name) ?? new PodLog();
    this.logs.set(name, log);
    return log;
  }

  /** Runs a pod at once, as it is at the start of the sandbox. */
  run(key: ObjectKey): void {
    const pod = this.store.find(pods, key);
    if (pod === undefined || textAt(pod, "status", "phase") !== "Pending") return;
    if (pod.metadata.deletionTimestamp !== undefined) return;
    this.makeRoot(key);
    this.logOf(key).append(`pod ${key.name} started`);
    this.addresses += 1;
    this.store.replace(pods, running(pod, `10.244.0.${this.addresses}`));
  }

  /**
   * Lets a pod end: Terminating first, gone a moment later.
   * @param graceSeconds  it takes the whole of it; undefined: `stopMs`
   */
  end(key: ObjectKey, graceSeconds?: number): KubeObject {
    const pod = clone(this.store.get(pods, key));
    if (pod.metadata.deletionTimestamp !== undefined) return pod;
    pod.metadata.deletionTimestamp = timestamp(new Date());
    pod.metadata.deletionGracePeriodSeconds = graceSeconds ?? 30;
    const ending = this.store.replace(pods, pod);
    const uid = textAt(pod, "metadata", "uid");
    this.later(graceSeconds === undefined ? this.options.stopMs : graceSeconds * 1000, () => {
      if (textAt(this.store.find(pods, key), "metadata", "uid") === uid) this.store.remove(pods, key);
    });
    return ending;
  }

  close(): void {
    this.unfollow();
    if (this.clock !== undefined) clearInterval(this.clock);
    for (const timer of this.timers) clearTimeout(timer);
    for (const log of this.logs.values()) log.close();
  }

  private observe(change: Change): void {
    if (change.resource !== pods) return;
    const key = keyOf(change.object);
    if (change.type === "ADDED") this.later(this.options.startMs, () => this.run(key));
    if (change.type !== "DELETED") return;
    this.logs.get(`${key.namespace}/${key.name}`)?.close();
    this.logs.delete(`${key.namespace}/${key.name}`);
    rmSync(this.rootOf(key), { recursive: true, force: true });
  }

  private tick(): void {
    this.ticks += 1;
    for (const log of this.logs.values()) log.append(`still here, ${this.ticks}`);
  }

  private later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, delayMs).unref();
    this.timers.add(timer);
  }

  private makeRoot(key: ObjectKey): void {
    const root = this.rootOf(key);
    for (const folder of ["etc", "root", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, "etc/hostname"), `${key.name}\n`);
  }
}

/** Fills in what the API server and the scheduler would. */
export function withPodDefaults(given: KubeObject): KubeObject {
  const pod = clone(given);
  const spec: JsonObject = {
    dnsPolicy: "ClusterFirst",
    enableServiceLinks: true,
    nodeName,
    restartPolicy: "Always",
    schedulerName: "default-scheduler",
    serviceAccount: "default",
    serviceAccountName: "default",
    terminationGracePeriodSeconds: 30,
    ...objectAt(pod, "spec"),
  };
  spec.containers = listAt(spec, "containers").map((container) => ({
    imagePullPolicy: "IfNotPresent",
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    ...objectAt(container),
  }));
  pod.spec = spec;
  pod.status = { phase: "Pending", qosClass: "BestEffort" };
  return pod;
}

function running(given: KubeObject, address: string): KubeObject {
  const pod = clone(given);
  const now = timestamp(new Date());
  const condition = (type: string): JsonObject => ({
    type,
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: now,
  });
  pod.status = {
    ...objectAt(pod, "status"),
    phase: "Running",
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    hostIP: nodeAddress,
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: now,
    containerStatuses: listAt(pod, "spec", "containers").map((container) => ({
      name: textAt(container, "name"),
      image: textAt(container, "image"),
      imageID: "",
      containerID: `sandbox://${textAt(pod, "metadata", "uid")}`,
      ready: true,
      started: true,
      restartCount: 0,
      lastState: {},
      state: { running: { startedAt: now } },
    })),
  };
  return pod;
}

/**
 * The container a request means: the one named, else the only or default one.
 * @returns undefined when there is none of that name
 */
export function containerOf(pod: KubeObject, asked: string): string | undefined {
  const names = listAt(pod, "spec", "containers").map((container) => textAt(container, "name"));
  if (asked !== "") return names.includes(asked) ? asked : undefined;
  const preferred = at(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container");
  return typeof preferred === "string" && names.includes(preferred) ? preferred : names[0];
}
