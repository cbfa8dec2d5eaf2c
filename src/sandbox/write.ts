import { type Call, contentTypeOf, readJsonBody, sendJson } from "./call.ts";
import { ApiError, badRequest, notFound, unsupportedMediaType } from "./errors.ts";
import {
  at,
  isKubeObject,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  objectAt,
  textAt,
} from "./json.ts";
import {
  fieldsOf,
  furnishNamespace,
  terminateNamespace,
  withDefaults,
  withoutDroppedFields,
} from "./objects.ts";
import { unknownFields } from "./openapi/validate.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patch.ts";
import type { Pods } from "./pods.ts";
import { sendObject } from "./read.ts";
import type { Target } from "./request-info.ts";
import { apiVersionOf, isStored, type Resource, resourceNamed, resources } from "./resources.ts";
import { readSelectors } from "./selectors.ts";
import { keyOf, type Store, timestamp } from "./store.ts";

/** What writing needs of the sandbox. */
export interface Cluster {
  readonly store: Store;
  readonly pods: Pods;
  /** PEM, for what every namespace is furnished with. */
  readonly ca: string;
}

const applyType = "application/apply-patch+yaml";
const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  applyType,
];

export async function serveCreate(
  call: Call,
  cluster: Cluster,
  resource: Resource,
  target: Target,
): Promise<void> {
  const given = readObject(await readJsonBody(call), resource, target);
  if (target.name !== "") given.metadata.name = target.name;
  const object = create(call, cluster, resource, given);
  sendObject(call, 201, resource, object);
}

function create(call: Call, cluster: Cluster, resource: Resource, given: KubeObject): KubeObject {
  checkFields(call, resource, given);
  checkNamespace(cluster.store, given);
  const object = cluster.store.create(resource, withDefaults(resource, given), { dryRun: isDryRun(call) });
  if (resource.plural === "namespaces" && !isDryRun(call)) {
    furnishNamespace(cluster.store, textAt(object, "metadata", "name"), cluster.ca);
  }
  return object;
}

export async function serveUpdate(
  call: Call,
  cluster: Cluster,
  resource: Resource,
  target: Target,
): Promise<void> {
  const given = readObject(await readJsonBody(call), resource, target);
  checkFields(call, resource, given);
  const present = cluster.store.get(resource, target.key);
  const next = ofSubresource(present, given, target.subresource);
  sendObject(call, 200, resource, cluster.store.replace(resource, next, { dryRun: isDryRun(call) }));
}

export async function servePatch(
  call: Call,
  cluster: Cluster,
  resource: Resource,
  target: Target,
): Promise<void> {
  const type = contentTypeOf(call.headers);
  if (!patchTypes.includes(type)) throw unsupportedMediaType(patchTypes.join(", "));
  const patch = await readJsonBody(call);
  const present = cluster.store.find(resource, target.key);
  if (type === applyType) return apply(call, cluster, resource, target, patch);
  if (present === undefined) throw notFound(resource, target.name);
  const patched =
    type === "application/json-patch+json"
      ? jsonPatch(present, patch)
      : type === "application/merge-patch+json"
        ? mergePatch(present, patch)
        : strategicMergePatch(present, patch);
  if (!isKubeObject(patched)) throw badRequest("the patched object is none");
  checkFields(call, resource, patched);
  const next = ofSubresource(present, withStringData(resource, patched), target.subresource);
  sendObject(call, 200, resource, cluster.store.replace(resource, next, { dryRun: isDryRun(call) }));
}

/** A secret's stringData is folded into data on every write. */
function withStringData(resource: Resource, object: KubeObject): KubeObject {
  return resource.plural === "secrets" ? withDefaults(resource, object) : object;
}

/**
 * Server-side apply, in short: the configuration is merged in, what the same manager applied before and dropped now is
 * removed, and its fields are remembered. Conflicts with other managers are not looked for.
 */
function apply(call: Call, cluster: Cluster, resource: Resource, target: Target, patch: Json): void {
  const given = readObject(patch, resource, target);
  const manager = call.query.get("fieldManager") ?? "";
  if (manager === "")
    throw badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  checkFields(call, resource, given);
  const present = cluster.store.find(resource, target.key);
  const owned = fieldsOf(appliedPart(given));
  if (present === undefined) {
    given.metadata.name = target.name;
    given.metadata.managedFields = [managedEntry(manager, resource, owned)];
    sendObject(call, 201, resource, create(call, cluster, resource, given));
    return;
  }
  const entries = listAt(present, "metadata", "managedFields");
  const before = entries.find(
    (entry) => textAt(entry, "manager") === manager && textAt(entry, "operation") === "Apply",
  );
  const kept = withoutDroppedFields(present, objectAt(before, "fieldsV1"), owned);
  const merged = strategicMergePatch(kept, given);
  if (!isKubeObject(merged)) throw badRequest("the applied object is none");
  const isSame = before !== undefined && JSON.stringify(at(before, "fieldsV1")) === JSON.stringify(owned);
  const entry = isSame ? before : managedEntry(manager, resource, owned);
  merged.metadata.managedFields = [...entries.filter((other) => other !== before), entry];
  const next = withStringData(resource, merged);
  sendObject(call, 200, resource, cluster.store.replace(resource, next, { dryRun: isDryRun(call) }));
}

function appliedPart(given: KubeObject): JsonObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = given;
  const { name: _name, namespace: _namespace, ...owned } = metadata;
  return { ...(Object.keys(owned).length > 0 && { metadata: owned }), ...rest };
}

function managedEntry(manager: string, resource: Resource, fieldsV1: JsonObject): JsonObject {
  const time = timestamp(new Date());
  return {
    manager,
    operation: "Apply",
    apiVersion: apiVersionOf(resource),
    time,
    fieldsType: "FieldsV1",
    fieldsV1,
  };
}

/** Through `status` only the status changes; through the object itself anything but (apiserver's strategies). */
function ofSubresource(present: KubeObject, given: KubeObject, subresource: string): KubeObject {
  if (subresource === "status")
    return { ...present, ...(given.status !== undefined && { status: given.status }) };
  return present.status === undefined ? given : { ...given, status: present.status };
}

/** @throws ApiError BadRequest when the body is no object of that kind and place */
function readObject(body: Json, resource: Resource, target: Target): KubeObject {
  if (!isObject(body)) throw badRequest("the body is not an object");
  const object: KubeObject = {
    ...body,
    apiVersion: textAt(body, "apiVersion") || apiVersionOf(resource),
    kind: textAt(body, "kind") || resource.kind,
    metadata: { ...objectAt(body, "metadata") },
  };
  if (object.kind !== resource.kind || object.apiVersion !== apiVersionOf(resource)) {
    throw badRequest(
      `${object.kind} in version "${object.apiVersion}" cannot be handled as a ${resource.kind}`,
    );
  }
  for (const [name, value] of Object.entries(object.metadata))
    if (value === null) delete object.metadata[name];
  if (resource.namespaced) {
    const given = textAt(object, "metadata", "namespace");
    if (given !== "" && given !== target.namespace) {
      throw badRequest(
        "the namespace of the provided object does not match the namespace sent on the request",
      );
    }
    object.metadata.namespace = target.namespace;
  }
  const name = textAt(object, "metadata", "name");
  if (target.name !== "" && name !== "" && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
  if (target.name !== "") object.metadata.name = target.name;
  return object;
}

/** `fieldValidation=Strict` refuses unknown fields, `Warn` speaks of them in a header. */
function checkFields(call: Call, resource: Resource, object: KubeObject): void {
  if (call.query.get("fieldValidation") !== "Strict") return;
  const unknown = unknownFields(resource, object);
  if (unknown.length === 0) return;
  const problems = unknown.map((path) => `unknown field "${path}"`).join(", ");
  throw badRequest(
    `${object.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${problems}`,
  );
}

function checkNamespace(store: Store, object: KubeObject): void {
  const name = textAt(object, "metadata", "namespace");
  if (name === "") return;
  const namespaces = resourceNamed("namespaces");
  const namespace = store.get(namespaces, { namespace: "", name });
  if (textAt(namespace, "status", "phase") !== "Terminating") return;
  const message = `${object.kind.toLowerCase()}s "${textAt(object, "metadata", "name")}" is forbidden: unable to create new content in namespace ${name} because it is being terminated`;
  throw new ApiError(403, "Forbidden", message, { name, kind: object.kind });
}

function isDryRun(call: Call): boolean {
  return call.query.get("dryRun") === "All";
}

export async function serveDelete(
  call: Call,
  cluster: Cluster,
  resource: Resource,
  target: Target,
): Promise<void> {
  const options = await readJsonBody(call);
  const present = cluster.store.get(resource, target.key);
  const uid = textAt(present, "metadata", "uid");
  const wanted = textAt(options, "preconditions", "uid");
  if (wanted !== "" && wanted !== uid) {
    const message = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid}`;
    throw new ApiError(409, "Conflict", message, { name: target.name, kind: resource.plural });
  }
  const isDry = isDryRun(call) || listAt(options, "dryRun").includes("All");
  if (resource.plural === "pods") {
    return sendObject(call, 200, resource, isDry ? present : endPod(cluster, present, options));
  }
  if (resource.plural === "namespaces") {
    return sendObject(call, 200, resource, isDry ? present : deleteNamespace(cluster, target.name));
  }
  if (!isDry) cluster.store.remove(resource, target.key);
  sendJson(call, 200, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: target.name,
      ...(resource.group !== "" && { group: resource.group }),
      kind: resource.plural,
      uid,
    },
  });
}

function endPod(cluster: Cluster, pod: KubeObject, options: Json): KubeObject {
  const grace = at(options, "gracePeriodSeconds");
  return cluster.pods.end(keyOf(pod), typeof grace === "number" ? grace : undefined);
}

function deleteNamespace(cluster: Cluster, name: string): KubeObject {
  const ending = terminateNamespace(cluster.store, name);
  setImmediate(() => {
    for (const resource of resources.filter((candidate) => candidate.namespaced && isStored(candidate))) {
      for (const object of cluster.store.list(resource, name)) cluster.store.remove(resource, keyOf(object));
    }
    const key = { namespace: "", name };
    const namespaces = resourceNamed("namespaces");
    if (cluster.store.find(namespaces, key) !== undefined) cluster.store.remove(namespaces, key);
  });
  return ending;
}

export async function serveDeleteCollection(
  call: Call,
  cluster: Cluster,
  resource: Resource,
  target: Target,
): Promise<void> {
  await readJsonBody(call);
  const selector = readSelectors(resource, call.query);
  const chosen = cluster.store.list(resource, target.namespace).filter(selector);
  for (const object of chosen) {
    if (resource.plural === "pods") cluster.pods.end(keyOf(object));
    else cluster.store.remove(resource, keyOf(object));
  }
  const metadata = { resourceVersion: String(cluster.store.revision) };
  sendJson(call, 200, {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata,
    items: chosen,
  });
}
