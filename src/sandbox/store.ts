import { randomUUID } from "node:crypto";
import { alreadyExists, conflict, expired, invalid, notFound } from "./errors.ts";
import { clone, isEqual, type KubeObject, textAt } from "./json.ts";
import { apiVersionOf, type Resource } from "./resources.ts";

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

/** One change of the store. Objects in it are never changed again. */
export interface Change {
  readonly revision: number;
  readonly type: ChangeType;
  readonly resource: Resource;
  readonly object: KubeObject;
  /** As it was before; undefined when it is new. */
  readonly previous?: KubeObject;
}

/** Names an object: its namespace ("" for cluster-wide kinds) and name. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** How many changes a watch may lag behind before it must list again. */
const historyMax = 2_000;

/** All objects, under one resourceVersion that counts every change of any of them, as etcd does. */
export class Store {
  private revisionNow = 1_000;
  private readonly tables = new Map<Resource, Map<string, KubeObject>>();
  private readonly listeners = new Set<(change: Change) => void>();
  private history: Change[] = [];
  /** The oldest revision a watch can still begin from. */
  private oldest = this.revisionNow;

  get revision(): number {
    return this.revisionNow;
  }

  find(resource: Resource, key: ObjectKey): KubeObject | undefined {
    return this.tables.get(resource)?.get(keyText(key));
  }

  /** @throws ApiError NotFound */
  get(resource: Resource, key: ObjectKey): KubeObject {
    const found = this.find(resource, key);
    if (found === undefined) throw notFound(resource, key.name);
    return found;
  }

  /** In order of namespace and name; `namespace` "" is all of them. */
  list(resource: Resource, namespace: string): KubeObject[] {
    const table = this.tables.get(resource) ?? new Map<string, KubeObject>();
    const all = [...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    return namespace === ""
      ? all
      : all.filter((object) => textAt(object, "metadata", "namespace") === namespace);
  }

  /** @throws ApiError AlreadyExists, Invalid */
  create(resource: Resource, given: KubeObject, options: { readonly dryRun?: boolean } = {}): KubeObject {
    const object = clone(given);
    const { metadata } = object;
    if (textAt(metadata, "name") === "" && textAt(metadata, "generateName") !== "") {
      metadata.name = textAt(metadata, "generateName") + randomUUID().slice(0, 5);
    }
    const key = keyOf(object);
    checkName(resource, key.name);
    if (this.find(resource, key) !== undefined) throw alreadyExists(resource, key.name);
    object.apiVersion = apiVersionOf(resource);
    object.kind = resource.kind;
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp(new Date());
    if (options.dryRun !== true) this.commit("ADDED", resource, object);
    return object;
  }

  /**
   * Puts a new state in the place of the old one; the same state again changes nothing.
   * @throws ApiError NotFound, or Conflict when the given resourceVersion is not the present one
   */
  replace(resource: Resource, given: KubeObject, options: { readonly dryRun?: boolean } = {}): KubeObject {
    const key = keyOf(given);
    const previous = this.get(resource, key);
    const asked = textAt(given, "metadata", "resourceVersion");
    if (asked !== "" && asked !== textAt(previous, "metadata", "resourceVersion"))
      throw conflict(resource, key.name);
    const object = clone(given);
    for (const field of ["uid", "creationTimestamp", "resourceVersion", "deletionTimestamp"]) {
      const value = previous.metadata[field];
      if (value !== undefined && !(field === "deletionTimestamp" && object.metadata[field] !== undefined)) {
        object.metadata[field] = value;
      }
    }
    if (isEqual(object, previous)) return previous;
    if (options.dryRun !== true) this.commit("MODIFIED", resource, object, previous);
    return object;
  }

  /** @throws ApiError NotFound */
  remove(resource: Resource, key: ObjectKey): KubeObject {
    const previous = this.get(resource, key);
    const object = clone(previous);
    this.commit("DELETED", resource, object, previous);
    return object;
  }

  /**
   * Calls back with every change after `revision`: the past ones before this returns, the others as they come.
   * @returns ends it
   * @throws ApiError Expired when the past does not reach back that far
   */
  follow(revision: number, listener: (change: Change) => void): () => void {
    if (revision < this.oldest) throw expired(revision, this.oldest);
    for (const change of this.history.filter((past) => past.revision > revision)) listener(change);
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Forgets the past, so that a watch from any earlier revision is answered with 410. */
  compact(): void {
    this.history = [];
    this.oldest = this.revisionNow;
  }

  private commit(type: ChangeType, resource: Resource, object: KubeObject, previous?: KubeObject): void {
    this.revisionNow += 1;
    object.metadata.resourceVersion = String(this.revisionNow);
    const table = this.tables.get(resource) ?? new Map<string, KubeObject>();
    this.tables.set(resource, table);
    if (type === "DELETED") table.delete(keyText(keyOf(object)));
    else table.set(keyText(keyOf(object)), object);
    const change: Change = {
      revision: this.revisionNow,
      type,
      resource,
      object,
      ...(previous !== undefined && { previous }),
    };
    this.remember(change);
    for (const listener of [...this.listeners]) listener(change);
  }

  private remember(change: Change): void {
    this.history.push(change);
    if (this.history.length <= historyMax) return;
    const dropped = this.history.shift();
    if (dropped !== undefined) this.oldest = dropped.revision;
  }
}

export function keyOf(object: KubeObject): ObjectKey {
  return { namespace: textAt(object, "metadata", "namespace"), name: textAt(object, "metadata", "name") };
}

function keyText(key: ObjectKey): string {
  return `${key.namespace}/${key.name}`;
}

/** RFC 1123 subdomain (apimachinery pkg/util/validation/validation.go). */
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function checkName(resource: Resource, name: string): void {
  if (name === "")
    throw invalid(resource, name, "metadata.name", "Required value: name or generateName is required");
  if (subdomain.test(name) && name.length <= 253) return;
  const problem =
    `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ` +
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  throw invalid(resource, name, "metadata.name", problem);
}

/** RFC 3339 to the second, as Kubernetes writes times. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
