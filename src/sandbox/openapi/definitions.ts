import type { Resource } from "../resources.ts";

/** The shape of a value, as far as OpenAPI v2 and v3 both can say it. */
export type Shape =
  | { readonly is: "text" | "integer" | "boolean" | "anything" | "quantity" }
  | { readonly is: "list"; readonly of: Shape }
  | { readonly is: "map"; readonly of: Shape }
  | { readonly is: "reference"; readonly to: string };

export interface Field {
  readonly name: string;
  readonly shape: Shape;
  readonly description: string;
}

export interface Definition {
  /** `io.k8s.api.core.v1.Pod` */
  readonly name: string;
  readonly description: string;
  readonly fields: readonly Field[];
}

const core = "io.k8s.api.core.v1.";
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const typeFields = `
  apiVersion string The versioned schema of this representation of an object.
  kind string The REST resource this object represents.
  metadata ObjectMeta Standard object's metadata.`;

/**
 * The kinds whose fields the sandbox knows: enough for `explain`, for kubectl's and the server's own check of field
 * names, and for patches made from a schema. A field of type `any` is not looked into.
 */
export const definitions: readonly Definition[] = [
  define(
    `${meta}ObjectMeta`,
    "ObjectMeta is metadata that all persisted resources must have.",
    `
    annotations map[string] Unstructured key value map that external tools may set.
    creationTimestamp string When the object was created, by the server's clock.
    deletionGracePeriodSeconds integer Seconds allowed for the object to end by itself.
    deletionTimestamp string When the object was asked to go.
    finalizers []string Must be empty before the object is deleted.
    generateName string A prefix from which a unique name is made when no name is given.
    generation integer A sequence number of the desired state.
    labels map[string] Map of keys and values to organize and select objects.
    managedFields []any Which workflow manages which fields.
    name string Name must be unique within a namespace.
    namespace string The space within which each name must be unique.
    ownerReferences []any Objects depended by this object.
    resourceVersion string The internal version of this object.
    selfLink string Deprecated, no longer filled in.
    uid string A value unique in time and space for this object.`,
  ),
  define(
    `${core}ConfigMap`,
    "ConfigMap holds configuration data for pods to consume.",
    `${typeFields}
    binaryData map[string] Binary data, base64 encoded.
    data map[string] The configuration data.
    immutable boolean If true, the data cannot be updated.`,
  ),
  define(
    `${core}Secret`,
    "Secret holds secret data of a certain type.",
    `${typeFields}
    data map[string] The secret data, base64 encoded.
    immutable boolean If true, the data cannot be updated.
    stringData map[string] Secret data as plain text; only for writing.
    type string Used to facilitate programmatic handling of secret data.`,
  ),
  define(
    `${core}Namespace`,
    "Namespace provides a scope for Names.",
    `${typeFields}
    spec any The behavior of the Namespace.
    status any The current status of the Namespace.`,
  ),
  define(
    `${core}ServiceAccount`,
    "ServiceAccount binds together a name and a principal that can be authenticated.",
    `${typeFields}
    automountServiceAccountToken boolean Whether pods get a token mounted.
    imagePullSecrets []any Secrets for pulling images.
    secrets []any Secrets that pods running as this account may use.`,
  ),
  define(
    `${core}Service`,
    "Service is a named abstraction of software service.",
    `${typeFields}
    spec ServiceSpec The behavior of a service.
    status any The most recently observed status of the service.`,
  ),
  define(
    `${core}ServiceSpec`,
    "ServiceSpec describes the attributes that a user creates on a service.",
    `
    allocateLoadBalancerNodePorts boolean Whether node ports are allocated for a LoadBalancer.
    clusterIP string The IP address of the service.
    clusterIPs []string IP addresses assigned to this service.
    externalIPs []string IP addresses for which nodes also accept traffic.
    externalName string The external reference returned as an alias.
    externalTrafficPolicy string How nodes distribute external traffic.
    healthCheckNodePort integer The health check node port.
    internalTrafficPolicy string How nodes distribute internal traffic.
    ipFamilies []string The IP families assigned to this service.
    ipFamilyPolicy string The dual-stack-ness of this service.
    loadBalancerClass string The class of the load balancer.
    loadBalancerIP string Deprecated.
    loadBalancerSourceRanges []string Client ranges allowed.
    ports []ServicePort The ports that are exposed by this service.
    publishNotReadyAddresses boolean Whether readiness is disregarded.
    selector map[string] Route traffic to pods with these labels.
    sessionAffinity string ClientIP or None.
    sessionAffinityConfig any The configuration of session affinity.
    trafficDistribution string How traffic is distributed.
    type string ExternalName, ClusterIP, NodePort, or LoadBalancer.`,
  ),
  define(
    `${core}ServicePort`,
    "ServicePort contains information on service's port.",
    `
    appProtocol string The application protocol for this port.
    name string The name of this port within the service.
    nodePort integer The port on each node.
    port integer The port that will be exposed by this service.
    protocol string The IP protocol for this port.
    targetPort quantity Number or name of the port on the pods.`,
  ),
  define(
    `${core}Pod`,
    "Pod is a collection of containers that can run on a host.",
    `${typeFields}
    spec PodSpec The desired behavior of the pod.
    status any The most recently observed status of the pod.`,
  ),
  define(
    `${core}PodSpec`,
    "PodSpec is a description of a pod.",
    `
    activeDeadlineSeconds integer How long the pod may be active on the node.
    affinity any The pod's scheduling constraints.
    automountServiceAccountToken boolean Whether a service account token is mounted.
    containers []Container List of containers belonging to the pod.
    dnsConfig any The DNS parameters of a pod.
    dnsPolicy string DNS policy for the pod.
    enableServiceLinks boolean Whether services are injected into environment variables.
    ephemeralContainers []any Containers run for debugging.
    hostAliases []any Hosts and IPs injected into the pod's hosts file.
    hostIPC boolean Use the host's ipc namespace.
    hostNetwork boolean Host networking requested for this pod.
    hostPID boolean Use the host's pid namespace.
    hostUsers boolean Use the host's user namespace.
    hostname string The hostname of the Pod.
    imagePullSecrets []any Secrets for pulling images.
    initContainers []Container Containers run before the others start.
    nodeName string Which node this pod is scheduled onto.
    nodeSelector map[string] Labels that a node must have.
    os any The OS of the containers.
    overhead any The overhead of running the pod.
    preemptionPolicy string The policy for preempting pods.
    priority integer The priority value.
    priorityClassName string The pod's priority class.
    readinessGates []any Conditions evaluated for pod readiness.
    resourceClaims []any Resource claims of the pod.
    resources any The total resources of the pod.
    restartPolicy string Always, OnFailure or Never.
    runtimeClassName string The runtime class of the pod.
    schedulerName string The scheduler that dispatches the pod.
    schedulingGates []any Gates that hold back scheduling.
    securityContext any Pod-level security attributes.
    serviceAccount string Deprecated alias of serviceAccountName.
    serviceAccountName string The ServiceAccount to run this pod as.
    setHostnameAsFQDN boolean Whether the hostname is the FQDN.
    shareProcessNamespace boolean One process namespace for all containers.
    subdomain string The subdomain of the pod's hostname.
    terminationGracePeriodSeconds integer Seconds the pod has to end gracefully.
    tolerations []any The pod's tolerations.
    topologySpreadConstraints []any How pods spread across topology domains.
    volumes []any Volumes that can be mounted by containers.`,
  ),
  define(
    `${core}Container`,
    "A single application container that you want to run within a pod.",
    `
    args []string Arguments to the entrypoint.
    command []string Entrypoint array.
    env []any Environment variables to set in the container.
    envFrom []any Sources of environment variables.
    image string Container image name.
    imagePullPolicy string Always, Never or IfNotPresent.
    lifecycle any Actions taken in response to lifecycle events.
    livenessProbe any Periodic probe of container liveness.
    name string Name of the container.
    ports []any Ports to expose from the container.
    readinessProbe any Periodic probe of container readiness.
    resizePolicy []any Resize policies.
    resources any Compute resources.
    restartPolicy string Restart behavior of a single container.
    securityContext any Security options.
    startupProbe any Probe that holds the others until it succeeds.
    stdin boolean Whether a buffer is allocated for stdin.
    stdinOnce boolean Whether stdin closes after a single attach.
    terminationMessagePath string Where the termination message is written.
    terminationMessagePolicy string How the termination message is populated.
    tty boolean Whether a TTY is allocated.
    volumeDevices []any Block devices to be used by the container.
    volumeMounts []any Pod volumes to mount.
    workingDir string Container's working directory.`,
  ),
];

const byKind = new Map(definitions.map((definition) => [definition.name.slice(core.length), definition]));

/** The definition of a kind of ours; undefined when its fields are not known. */
export function definitionOf(resource: Resource): Definition | undefined {
  return resource.group === "" ? byKind.get(resource.kind) : undefined;
}

export function definitionNamed(name: string): Definition | undefined {
  return definitions.find((definition) => definition.name === name);
}

/** @param text  a line a field: name, type, description */
function define(name: string, description: string, text: string): Definition {
  const fields = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(" "))
    .map(([fieldName = "", type = "", ...words]) => ({
      name: fieldName,
      shape: shapeOf(type),
      description: words.join(" "),
    }));
  return { name, description, fields };
}

function shapeOf(type: string): Shape {
  if (type.startsWith("[]")) return { is: "list", of: shapeOf(type.slice(2)) };
  if (type === "map[string]") return { is: "map", of: { is: "text" } };
  if (type === "string") return { is: "text" };
  if (type === "integer" || type === "boolean" || type === "quantity") return { is: type };
  if (type === "any") return { is: "anything" };
  return { is: "reference", to: (type === "ObjectMeta" ? meta : core) + type };
}
