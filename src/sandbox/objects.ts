import { createHash } from "node:crypto";
import { clone, type Json, type JsonObject, type KubeObject, objectAt, textAt } from "./json.ts";
import { withPodDefaults } from "./pods.ts";
import { type Resource, resourceNamed } from "./resources.ts";
import { type Store, timestamp } from "./store.ts";

/** What the API server fills in when an object of some kinds is created. */
export function withDefaults(resource: Resource, given: KubeObject): KubeObject {
  switch (resource.plural) {
    case "pods":
      return withPodDefaults(given);
    case "secrets":
      return secretDefaults(given);
    case "services":
      return serviceDefaults(given);
    case "namespaces":
      return namespaceDefaults(given);
    default:
      return given;
  }
}

/** The write-only stringData becomes data. */
function secretDefaults(given: KubeObject): KubeObject {
  const secret = clone(given);
  const written = Object.entries(objectAt(secret, "stringData"));
  const encoded = written.map(
    ([name, text]) => [name, Buffer.from(String(text)).toString("base64")] as const,
  );
  secret.data = { ...objectAt(secret, "data"), ...Object.fromEntries(encoded) };
  delete secret.stringData;
  secret.type = textAt(secret, "type") || "Opaque";
  return secret;
}

function serviceDefaults(given: KubeObject): KubeObject {
  const service = clone(given);
  const digest = createHash("sha256")
    .update(`${textAt(service, "metadata", "name")}`)
    .digest();
  const clusterIP = `10.96.${digest[0]!}.${1 + (digest[1]! % 254)}`;
  service.spec = { clusterIP, sessionAffinity: "None", type: "ClusterIP", ...objectAt(service, "spec") };
  service.status = { loadBalancer: {} };
  return service;
}

function namespaceDefaults(given: KubeObject): KubeObject {
  const namespace = clone(given);
  const labels = objectAt(namespace, "metadata", "labels");
  namespace.metadata.labels = {
    ...labels,
    "kubernetes.io/metadata.name": textAt(namespace, "metadata", "name"),
  };
  namespace.spec = { finalizers: ["kubernetes"] };
  namespace.status = { phase: "Active" };
  return namespace;
}

/** What controllers put into every new namespace. @param ca  PEM of the cluster's CA, for kube-root-ca.crt */
export function furnishNamespace(store: Store, name: string, ca: string): void {
  const metadata = (objectName: string): JsonObject => ({ name: objectName, namespace: name });
  store.create(resourceNamed("serviceaccounts"), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadata("default"),
  });
  store.create(resourceNamed("configmaps"), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata("kube-root-ca.crt"),
    data: { "ca.crt": ca },
  });
}

/** Ends a namespace: Terminating first; the caller removes what is in it, then it. */
export function terminateNamespace(store: Store, name: string): KubeObject {
  const namespaces = resourceNamed("namespaces");
  const namespace = clone(store.get(namespaces, { namespace: "", name }));
  namespace.metadata.deletionTimestamp = timestamp(new Date());
  namespace.status = { phase: "Terminating" };
  return store.replace(namespaces, namespace);
}

/** FieldsV1 of what somebody applied (structured-merge-diff): lists are owned whole. */
export function fieldsOf(applied: Json): JsonObject {
  if (typeof applied !== "object" || applied === null || Array.isArray(applied)) return {};
  return Object.fromEntries(Object.entries(applied).map(([name, value]) => [`f:${name}`, fieldsOf(value)]));
}

/** The object without the fields that were owned before and are not any more. */
export function withoutDroppedFields(object: Json, before: JsonObject, now: JsonObject): Json {
  if (typeof object !== "object" || object === null || Array.isArray(object)) return object;
  const result: JsonObject = { ...object };
  for (const [field, inner] of Object.entries(before)) {
    const name = field.slice(2);
    const value = result[name];
    if (value === undefined) continue;
    if (now[field] === undefined) delete result[name];
    else result[name] = withoutDroppedFields(value, objectAt(inner), objectAt(now, field));
  }
  return result;
}
