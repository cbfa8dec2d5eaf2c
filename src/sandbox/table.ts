import {
  at,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  objectAt,
  textAt,
} from "./json.ts";
import type { Resource } from "./resources.ts";

interface Column {
  readonly name: string;
  readonly type?: string;
  /** 1: only with `-o wide`. */
  readonly priority?: number;
  readonly cell: (object: KubeObject) => Json;
}

/** The columns kubectl prints, as kube-apiserver names them (pkg/printers/internalversion/printers.go). */
const columns: Readonly<Record<string, readonly Column[]>> = {
  pods: [
    { name: "Ready", cell: (pod) => readyCount(pod) },
    { name: "Status", cell: (pod) => podStatus(pod) },
    { name: "Restarts", cell: () => "0" },
    age(),
    { name: "IP", priority: 1, cell: (pod) => textAt(pod, "status", "podIP") || "<none>" },
    { name: "Node", priority: 1, cell: (pod) => textAt(pod, "spec", "nodeName") || "<none>" },
    { name: "Nominated Node", priority: 1, cell: () => "<none>" },
    { name: "Readiness Gates", priority: 1, cell: () => "<none>" },
  ],
  namespaces: [{ name: "Status", cell: (namespace) => textAt(namespace, "status", "phase") }, age()],
  nodes: [
    { name: "Status", cell: () => "Ready" },
    { name: "Roles", cell: () => "control-plane" },
    age(),
    { name: "Version", cell: (node) => textAt(node, "status", "nodeInfo", "kubeletVersion") },
  ],
  configmaps: [
    { name: "Data", type: "integer", cell: (map) => countOf(map.data) + countOf(map.binaryData) },
    age(),
  ],
  secrets: [
    { name: "Type", cell: (secret) => textAt(secret, "type") || "Opaque" },
    { name: "Data", type: "integer", cell: (secret) => countOf(secret.data) },
    age(),
  ],
  services: [
    { name: "Type", cell: (service) => textAt(service, "spec", "type") || "ClusterIP" },
    { name: "Cluster-IP", cell: (service) => textAt(service, "spec", "clusterIP") || "<none>" },
    { name: "External-IP", cell: () => "<none>" },
    { name: "Port(s)", cell: (service) => servicePorts(service) },
    age(),
    { name: "Selector", priority: 1, cell: (service) => labelText(objectAt(service, "spec", "selector")) },
  ],
  serviceaccounts: [
    { name: "Secrets", type: "integer", cell: (account) => listAt(account, "secrets").length },
    age(),
  ],
  deployments: [
    { name: "Ready", cell: (deployment) => `0/${textAt(deployment, "spec", "replicas") || "1"}` },
    { name: "Up-to-date", type: "integer", cell: () => 0 },
    { name: "Available", type: "integer", cell: () => 0 },
    age(),
  ],
  events: [
    { name: "Type", cell: (event) => textAt(event, "type") },
    { name: "Reason", cell: (event) => textAt(event, "reason") },
    { name: "Object", cell: (event) => involved(event) },
    { name: "Message", cell: (event) => textAt(event, "message") },
  ],
  leases: [{ name: "Holder", cell: (lease) => textAt(lease, "spec", "holderIdentity") }, age()],
};

export interface TableOptions {
  /** `v1` or `v1beta1`. */
  readonly version: string;
  readonly includeObject: string;
  /** Only the first table of a watch names the columns. */
  readonly withColumns: boolean;
}

/** meta.k8s.io Table of some objects. */
export function tableOf(
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  options: TableOptions,
): JsonObject {
  const shown: readonly Column[] = [
    { name: "Name", cell: (object) => textAt(object, "metadata", "name") },
    ...(columns[resource.plural] ?? [age()]),
  ];
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata,
    columnDefinitions: options.withColumns ? shown.map(definitionOf) : [],
    rows: objects.map((object) => ({
      cells: shown.map((column) => column.cell(object)),
      object: rowObject(object, options),
    })),
  };
}

function definitionOf(column: Column): JsonObject {
  return {
    name: column.name,
    type: column.type ?? "string",
    format: column.name === "Name" ? "name" : "",
    description: "",
    priority: column.priority ?? 0,
  };
}

function rowObject(object: KubeObject, options: TableOptions): Json {
  if (options.includeObject === "None") return null;
  if (options.includeObject === "Object") return object;
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata: object.metadata,
  };
}

function age(): Column {
  return { name: "Age", cell: (object) => ageText(textAt(object, "metadata", "creationTimestamp")) };
}

/** apimachinery pkg/util/duration/duration.go, shortened. */
export function ageText(created: string, now: number = Date.now()): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(created)) / 1000));
  if (Number.isNaN(seconds)) return "<unknown>";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

function readyCount(pod: KubeObject): string {
  const ready = listAt(pod, "status", "containerStatuses").filter((status) => at(status, "ready") === true);
  return `${ready.length}/${listAt(pod, "spec", "containers").length}`;
}

function podStatus(pod: KubeObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  const waiting = listAt(pod, "status", "containerStatuses").map((s) =>
    textAt(s, "state", "waiting", "reason"),
  );
  return waiting.find((reason) => reason !== "") ?? textAt(pod, "status", "phase");
}

function servicePorts(service: KubeObject): string {
  const ports = listAt(service, "spec", "ports");
  return (
    ports.map((port) => `${textAt(port, "port")}/${textAt(port, "protocol") || "TCP"}`).join(",") || "<none>"
  );
}

function labelText(labels: JsonObject): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return pairs.sort().join(",") || "<none>";
}

function involved(event: KubeObject): string {
  return `${textAt(event, "involvedObject", "kind").toLowerCase()}/${textAt(event, "involvedObject", "name")}`;
}

function countOf(value: Json | undefined): number {
  return isObject(value) ? Object.keys(value).length : 0;
}
