/** One kind of object the sandbox serves. */
export interface Resource {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
}

export interface Subresource {
  readonly name: string;
  /** Kind, and group/version when they are not the parent's. */
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

const storedVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const reviewVerbs = ["create"];

interface Written {
  readonly kind: string;
  readonly plural?: string;
  readonly cluster?: true;
  readonly short?: string;
  readonly categories?: string;
  readonly verbs?: readonly string[];
  readonly subresources?: readonly Subresource[];
}

const statusVerbs = ["get", "patch", "update"];
const upgradeVerbs = ["create", "get"];

const podSubresources: readonly Subresource[] = [
  { name: "attach", kind: "PodAttachOptions", verbs: upgradeVerbs },
  { name: "ephemeralcontainers", kind: "Pod", verbs: statusVerbs },
  { name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] },
  { name: "exec", kind: "PodExecOptions", verbs: upgradeVerbs },
  { name: "log", kind: "Pod", verbs: ["get"] },
  { name: "portforward", kind: "PodPortForwardOptions", verbs: upgradeVerbs },
  { name: "proxy", kind: "PodProxyOptions", verbs: ["create", "delete", "get", "patch", "update"] },
  { name: "status", kind: "Pod", verbs: statusVerbs },
];

const status = (kind: string): Subresource => ({ name: "status", kind, verbs: statusVerbs });
const tokenRequest: Subresource = {
  name: "token",
  kind: "TokenRequest",
  group: "authentication.k8s.io",
  version: "v1",
  verbs: ["create"],
};

export const resources: readonly Resource[] = [
  ...group("", "v1", [
    { kind: "ConfigMap", short: "cm" },
    { kind: "Event", short: "ev" },
    { kind: "Namespace", short: "ns", cluster: true, subresources: [status("Namespace")] },
    { kind: "Node", short: "no", cluster: true, subresources: [status("Node")] },
    { kind: "Pod", short: "po", categories: "all", subresources: podSubresources },
    { kind: "Secret" },
    { kind: "ServiceAccount", short: "sa", subresources: [tokenRequest] },
    { kind: "Service", short: "svc", categories: "all", subresources: [status("Service")] },
  ]),
  ...group("apps", "v1", [
    { kind: "Deployment", short: "deploy", categories: "all", subresources: [status("Deployment")] },
  ]),
  ...group("authentication.k8s.io", "v1", [
    { kind: "SelfSubjectReview", cluster: true, verbs: reviewVerbs },
    { kind: "TokenReview", cluster: true, verbs: reviewVerbs },
  ]),
  ...group("authorization.k8s.io", "v1", [
    { kind: "LocalSubjectAccessReview", verbs: reviewVerbs },
    { kind: "SelfSubjectAccessReview", cluster: true, verbs: reviewVerbs },
    { kind: "SelfSubjectRulesReview", cluster: true, verbs: reviewVerbs },
    { kind: "SubjectAccessReview", cluster: true, verbs: reviewVerbs },
  ]),
  ...group("coordination.k8s.io", "v1", [{ kind: "Lease" }]),
];

function group(name: string, version: string, kinds: readonly Written[]): Resource[] {
  return kinds.map((written) => {
    const singular = written.kind.toLowerCase();
    return {
      group: name,
      version,
      plural: written.plural ?? `${singular}s`,
      singular,
      kind: written.kind,
      namespaced: written.cluster !== true,
      shortNames: written.short === undefined ? [] : [written.short],
      categories: written.categories === undefined ? [] : [written.categories],
      verbs: written.verbs ?? storedVerbs,
      subresources: written.subresources ?? [],
    };
  });
}

export function findResource(group: string, version: string, plural: string): Resource | undefined {
  return resources.find(
    (resource) => resource.group === group && resource.version === version && resource.plural === plural,
  );
}

/** The one of that plural, whatever its group; for code that names what it means. */
export function resourceNamed(plural: string): Resource {
  const found = resources.find((resource) => resource.plural === plural);
  if (found === undefined) throw new Error(`no resource ${plural}`);
  return found;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** Whether objects of it are kept, as against reviews, which are only answered. */
export function isStored(resource: Resource): boolean {
  return resource.verbs.includes("list");
}
