import { ApiError, badRequest } from "./errors.ts";
import { at, clone, isEqual, isObject, type Json, type JsonObject, textAt } from "./json.ts";

/** RFC 7396. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** RFC 6902. @throws ApiError 422 when an operation does not fit, BadRequest when it is none */
export function jsonPatch(document: Json, operations: Json): Json {
  if (!Array.isArray(operations)) throw badRequest("a JSON patch is a list of operations");
  const root: JsonObject = { "": clone(document) };
  for (const operation of operations) applyOperation(root, operation);
  return root[""] ?? null;
}

function applyOperation(root: JsonObject, operation: Json): void {
  const path = pointer(textAt(operation, "path"));
  const value = at(operation, "value");
  const from = pointer(textAt(operation, "from"));
  switch (textAt(operation, "op")) {
    case "add":
      place(root, path, required(value));
      return;
    case "replace":
      take(root, path);
      place(root, path, required(value));
      return;
    case "remove":
      take(root, path);
      return;
    case "move":
      place(root, path, take(root, from));
      return;
    case "copy":
      place(root, path, clone(required(at(root, ...steps(root, from)))));
      return;
    case "test":
      if (!isEqual(at(root, ...steps(root, path)), value))
        throw unfit(`testing path ${textAt(operation, "path")} failed`);
      return;
    default:
      throw badRequest(`unknown JSON patch operation "${textAt(operation, "op")}"`);
  }
}

/** RFC 6901; the document itself stands under the name "". */
function pointer(text: string): string[] {
  return text.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function steps(root: JsonObject, path: readonly string[]): (string | number)[] {
  let here: Json | undefined = root;
  return path.map((step) => {
    const next = Array.isArray(here) && /^\d+$/.test(step) ? Number(step) : step;
    here = at(here, next);
    return next;
  });
}

function take(root: JsonObject, path: readonly string[]): Json {
  const way = steps(root, path);
  const parent = at(root, ...way.slice(0, -1));
  const last = way.at(-1);
  const found = at(root, ...way);
  if (found === undefined || last === undefined)
    throw unfit(`remove operation does not apply: doc is missing path: ${path.join("/")}`);
  if (Array.isArray(parent) && typeof last === "number") parent.splice(last, 1);
  else if (isObject(parent)) delete parent[last];
  return found;
}

function place(root: JsonObject, path: readonly string[], value: Json): void {
  const way = steps(root, path);
  const parent = at(root, ...way.slice(0, -1));
  const last = way.at(-1);
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    if (!(index >= 0 && index <= parent.length)) throw unfit(`index ${String(last)} is out of bounds`);
    parent.splice(index, 0, value);
  } else if (isObject(parent) && last !== undefined) {
    parent[last] = value;
  } else {
    throw unfit(`add operation does not apply: doc is missing path: ${path.join("/")}`);
  }
}

function required(value: Json | undefined): Json {
  if (value === undefined) throw badRequest("the JSON patch operation lacks its value");
  return value;
}

function unfit(message: string): ApiError {
  return new ApiError(
    422,
    "Invalid",
    `the server rejected our request due to an error in our request: ${message}`,
    {},
  );
}

/** Lists that are merged item by item, and the field that tells items apart (k8s.io/api core/v1 `patchMergeKey`). */
const mergeKeys: Readonly<Record<string, string>> = {
  conditions: "type",
  containers: "name",
  env: "name",
  ephemeralContainers: "name",
  hostAliases: "ip",
  imagePullSecrets: "name",
  initContainers: "name",
  ownerReferences: "uid",
  secrets: "name",
  volumeMounts: "mountPath",
  volumes: "name",
};

/** Lists of plain words that are merged as sets. */
const mergedSets = new Set(["finalizers"]);

/**
 * Kubernetes' strategic merge patch (apimachinery pkg/util/strategicpatch): like a merge patch, but the lists named above
 * are merged by key, and `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder`, `$retainKeys` direct it.
 */
export function strategicMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  if (patch.$patch === "replace") return withoutDirectives(patch);
  if (patch.$patch === "delete") return {};
  const result: JsonObject = isObject(target) ? { ...target } : {};
  retainKeys(result, patch.$retainKeys);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith("$deleteFromPrimitiveList/")) deleteWords(result, name, value);
    if (name.startsWith("$")) continue;
    if (value === null) delete result[name];
    else
      result[name] = Array.isArray(value)
        ? mergeList(name, result[name], value)
        : strategicMergePatch(result[name], value);
  }
  for (const [name, order] of Object.entries(patch)) {
    if (name.startsWith("$setElementOrder/"))
      sortByOrder(result, name.slice("$setElementOrder/".length), order);
  }
  return result;
}

function retainKeys(result: JsonObject, keep: Json | undefined): void {
  if (!Array.isArray(keep)) return;
  for (const name of Object.keys(result)) if (!keep.includes(name)) delete result[name];
}

function deleteWords(result: JsonObject, directive: string, gone: Json): void {
  const name = directive.slice("$deleteFromPrimitiveList/".length);
  const list = result[name];
  if (Array.isArray(list) && Array.isArray(gone)) result[name] = list.filter((word) => !gone.includes(word));
}

/** By which field a list of that name is merged; undefined: it is replaced whole. */
export function mergeKeyFor(name: string): string | undefined {
  return mergeKeys[name];
}

/** `ports` has another key in a Service than in a container. */
function mergeKeyOf(name: string, items: readonly Json[]): string | undefined {
  if (name !== "ports") return mergeKeys[name];
  return items.some((item) => at(item, "containerPort") !== undefined) ? "containerPort" : "port";
}

function mergeList(name: string, present: Json | undefined, patch: readonly Json[]): Json {
  const list = Array.isArray(present) ? present : [];
  if (mergedSets.has(name)) return [...new Set([...list, ...patch])];
  const key = mergeKeyOf(name, patch);
  if (key === undefined || !patch.every(isObject)) return [...patch];
  if (patch.some((item) => item.$patch === "replace"))
    return patch.filter((item) => item.$patch === undefined);
  const result: Json[] = [...list];
  for (const item of patch) {
    const index = result.findIndex((have) => isEqual(at(have, key), item[key]));
    if (item.$patch === "delete") {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) {
      result[index] = strategicMergePatch(result[index], item);
    } else {
      result.push(withoutDirectives(item));
    }
  }
  return result;
}

function sortByOrder(result: JsonObject, name: string, order: Json): void {
  const list = result[name];
  if (!Array.isArray(list) || !Array.isArray(order)) return;
  const key = mergeKeyOf(name, order);
  const rank = (item: Json): number => {
    const found = order.findIndex((want) =>
      isEqual(key === undefined ? want : at(want, key), key === undefined ? item : at(item, key)),
    );
    return found < 0 ? order.length : found;
  };
  result[name] = [...list].sort((a, b) => rank(a) - rank(b));
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([name, inner]) => !name.startsWith("$") && inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutDirectives(inner)]));
}
