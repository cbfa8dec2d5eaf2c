import type { JsonObject } from "./json.ts";
import { apiVersionOf, type Resource, resources, type Subresource } from "./resources.ts";

/** Every group once, in the order of the resource table; the core group is "". */
function groups(): string[] {
  return [...new Set(resources.map((resource) => resource.group))];
}

function versionsOf(group: string): string[] {
  return [
    ...new Set(resources.filter((resource) => resource.group === group).map((resource) => resource.version)),
  ];
}

/** `/api`. @param address  host:port as the client sees it */
export function apiVersions(address: string): JsonObject {
  return {
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }],
  };
}

/** `/apis`. */
export function apiGroupList(): JsonObject {
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups()
      .filter((group) => group !== "")
      .map(groupEntry),
  };
}

/** `/apis/GROUP`; undefined when there is none. */
export function apiGroup(name: string): JsonObject | undefined {
  return name !== "" && groups().includes(name)
    ? { kind: "APIGroup", apiVersion: "v1", ...groupEntry(name) }
    : undefined;
}

function groupEntry(name: string): JsonObject {
  const versions = versionsOf(name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0]! };
}

/** `/api/v1`, `/apis/GROUP/VERSION`; undefined when there is none. */
export function apiResourceList(group: string, version: string): JsonObject | undefined {
  const found = resources.filter((resource) => resource.group === group && resource.version === version);
  if (found.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    ...(group !== "" && { apiVersion: "v1" }),
    groupVersion: apiVersionOf({ group, version }),
    resources: found.flatMap((resource) => [
      resourceEntry(resource),
      ...resource.subresources.map((sub) => subresourceEntry(resource, sub)),
    ]),
  };
}

function resourceEntry(resource: Resource): JsonObject {
  return {
    name: resource.plural,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: [...resource.verbs],
    ...(resource.shortNames.length > 0 && { shortNames: [...resource.shortNames] }),
    ...(resource.categories.length > 0 && { categories: [...resource.categories] }),
  };
}

function subresourceEntry(resource: Resource, sub: Subresource): JsonObject {
  return {
    name: `${resource.plural}/${sub.name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(sub.group !== undefined && { group: sub.group, version: sub.version ?? "" }),
    kind: sub.kind,
    verbs: [...sub.verbs],
  };
}

/**
 * `/api` or `/apis` in one answer (KEP-3352).
 * @param version  `v2`, or `v2beta1` as clients of 1.26–1.29 ask
 */
export function aggregatedDiscovery(root: "api" | "apis", version: string): JsonObject {
  const shown = groups().filter((group) => (group === "") === (root === "api"));
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: shown.map((group) => ({
      metadata: { ...(group !== "" && { name: group }) },
      versions: versionsOf(group).map((groupVersion) => ({
        version: groupVersion,
        freshness: "Current",
        resources: resources
          .filter((resource) => resource.group === group && resource.version === groupVersion)
          .map(aggregatedEntry),
      })),
    })),
  };
}

function aggregatedEntry(resource: Resource): JsonObject {
  return {
    resource: resource.plural,
    responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: [...resource.verbs],
    ...(resource.shortNames.length > 0 && { shortNames: [...resource.shortNames] }),
    ...(resource.categories.length > 0 && { categories: [...resource.categories] }),
    ...(resource.subresources.length > 0 && {
      subresources: resource.subresources.map((sub) => ({
        subresource: sub.name,
        responseKind: {
          group: sub.group ?? resource.group,
          version: sub.version ?? resource.version,
          kind: sub.kind,
        },
        verbs: [...sub.verbs],
      })),
    }),
  };
}
