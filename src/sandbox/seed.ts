import { type JsonObject, type KubeObject, textAt } from "./json.ts";
import { furnishNamespace, withDefaults } from "./objects.ts";
import { nodeAddress, nodeName, type Pods } from "./pods.ts";
import { resourceNamed } from "./resources.ts";
import type { Store } from "./store.ts";
import { gitVersion } from "./version.ts";

export interface SeedOptions {
  /** host:port of the sandbox, for kube-public/cluster-info. */
  readonly address: string;
  /** PEM of the CA that signed the server's certificate. */
  readonly ca: string;
}

/** What is there when the sandbox starts: a node, the usual namespaces, and one running pod in `default`. */
export function seed(store: Store, pods: Pods, options: SeedOptions): void {
  put(store, "nodes", node());
  for (const name of ["default", "kube-node-lease", "kube-public", "kube-system"]) {
    put(store, "namespaces", object("v1", "Namespace", { name }));
    furnishNamespace(store, name, options.ca);
  }
  put(store, "configmaps", {
    ...object("v1", "ConfigMap", { name: "cluster-info", namespace: "kube-public" }),
    data: { kubeconfig: clusterInfo(options) },
  });
  put(store, "leases", {
    ...object("coordination.k8s.io/v1", "Lease", { name: nodeName, namespace: "kube-node-lease" }),
    spec: { holderIdentity: nodeName, leaseDurationSeconds: 40 },
  });
  put(
    store,
    "services",
    service("kubernetes", 443, 6443, { component: "apiserver", provider: "kubernetes" }),
  );
  put(store, "services", service("web", 80, 80, { app: "web" }));
  put(store, "pods", webPod());
  pods.run({ namespace: "default", name: "web" });
  put(store, "events", startedEvent(store));
}

function put(store: Store, plural: string, given: KubeObject): void {
  const resource = resourceNamed(plural);
  store.create(resource, withDefaults(resource, given));
}

function object(apiVersion: string, kind: string, metadata: JsonObject): KubeObject {
  return { apiVersion, kind, metadata };
}

function node(): KubeObject {
  return {
    ...object("v1", "Node", { name: nodeName, labels: { "kubernetes.io/hostname": nodeName } }),
    spec: {},
    status: {
      addresses: [
        { type: "InternalIP", address: nodeAddress },
        { type: "Hostname", address: nodeName },
      ],
      capacity: { cpu: "2", memory: "2Gi", pods: "110" },
      allocatable: { cpu: "2", memory: "2Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True", reason: "KubeletReady" }],
      nodeInfo: {
        architecture: "amd64",
        containerRuntimeVersion: "sandbox://1",
        kernelVersion: "0",
        kubeletVersion: gitVersion,
        operatingSystem: "linux",
        osImage: "Postern sandbox",
      },
    },
  };
}

function service(name: string, port: number, targetPort: number, selector: JsonObject): KubeObject {
  return {
    ...object("v1", "Service", { name, namespace: "default", labels: selector }),
    spec: {
      selector: name === "kubernetes" ? {} : selector,
      ports: [{ name: name === "kubernetes" ? "https" : "http", port, protocol: "TCP", targetPort }],
    },
  };
}

function webPod(): KubeObject {
  return {
    ...object("v1", "Pod", { name: "web", namespace: "default", labels: { app: "web" } }),
    spec: {
      containers: [
        { name: "web", image: "postern/sandbox:1", ports: [{ containerPort: 80, protocol: "TCP" }] },
      ],
    },
  };
}

function startedEvent(store: Store): KubeObject {
  const pod = store.get(resourceNamed("pods"), { namespace: "default", name: "web" });
  const uid = textAt(pod, "metadata", "uid");
  const involvedObject = { apiVersion: "v1", kind: "Pod", name: "web", namespace: "default", uid };
  return {
    ...object("v1", "Event", { name: "web.started", namespace: "default" }),
    involvedObject,
    type: "Normal",
    reason: "Started",
    message: "Started container web",
    source: { component: "kubelet", host: nodeName },
    count: 1,
  };
}

/** The kubeconfig that kubeadm leaves for joining nodes. */
function clusterInfo(options: SeedOptions): string {
  return [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    "- cluster:",
    `    certificate-authority-data: ${Buffer.from(options.ca).toString("base64")}`,
    `    server: https://${options.address}`,
    '  name: ""',
    "contexts: null",
    'current-context: ""',
    "users: null",
    "",
  ].join("\n");
}
