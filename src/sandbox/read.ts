import { acceptedTypes, type Call, jsonType, sendJson } from "./call.ts";
import { ApiError, badRequest } from "./errors.ts";
import { type JsonObject, type KubeObject, parseJson, textAt } from "./json.ts";
import type { Target } from "./request-info.ts";
import { apiVersionOf, type Resource } from "./resources.ts";
import { readSelectors } from "./selectors.ts";
import type { Store } from "./store.ts";
import { type TableOptions, tableOf } from "./table.ts";
import { serveWatch, type WatchOptions } from "./watch.ts";

type TableWish = Pick<TableOptions, "version" | "includeObject">;

/** How the client wants an answer: as it is, or as rows. @throws ApiError NotAcceptable */
function readWish(call: Call): TableWish | undefined {
  for (const { type, parameters } of acceptedTypes(call.headers)) {
    if (type !== jsonType && type !== "*/*" && type !== "application/*") continue;
    if (parameters.as === undefined) return undefined;
    const version = parameters.v ?? "v1";
    if (parameters.as === "Table" && (version === "v1" || version === "v1beta1")) {
      return { version, includeObject: call.query.get("includeObject") ?? "Metadata" };
    }
  }
  throw new ApiError(406, "NotAcceptable", `only the following media types are accepted: ${jsonType}`);
}

/** One object, as JSON or as a table of one row. */
export function sendObject(call: Call, status: number, resource: Resource, object: KubeObject): void {
  const wish = readWish(call);
  if (wish === undefined) {
    sendJson(call, status, object);
    return;
  }
  const metadata = { resourceVersion: textAt(object, "metadata", "resourceVersion") };
  sendJson(
    call,
    status,
    tableOf(resource, [object], metadata, { ...wish, withColumns: true }),
    tableType(wish),
  );
}

export function serveList(call: Call, store: Store, resource: Resource, target: Target): void {
  const wish = readWish(call);
  const selector = readSelectors(resource, call.query);
  const all = store.list(resource, target.namespace).filter(selector);
  const { items, rest } = pageOf(all, call.query);
  const metadata: JsonObject = { resourceVersion: String(store.revision) };
  const last = items.at(-1);
  if (rest > 0 && last !== undefined) {
    metadata.continue = continueAfter(last);
    metadata.remainingItemCount = rest;
  }
  if (wish !== undefined) {
    const table = tableOf(resource, items, metadata, { ...wish, withColumns: true });
    sendJson(call, 200, table, tableType(wish));
    return;
  }
  sendJson(call, 200, {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata,
    items: items.map(withoutType),
  });
}

export function startWatch(
  call: Call,
  store: Store,
  resource: Resource,
  target: Target,
  options: WatchOptions,
): void {
  const wish = readWish(call);
  const namedSelector = readSelectors(resource, call.query);
  const scope = {
    resource,
    namespace: target.namespace,
    selector: namedSelector,
    ...(wish !== undefined && { table: wish }),
  };
  serveWatch(call, store, scope, options);
}

function tableType(wish: TableWish): string {
  return `${jsonType};as=Table;v=${wish.version};g=meta.k8s.io`;
}

/** Items of a typed list do not repeat their kind. */
function withoutType(object: KubeObject): JsonObject {
  const { apiVersion: _version, kind: _kind, ...rest } = object;
  return rest;
}

/** `limit` and `continue`; pages are not of one moment, as a real server's would be. */
function pageOf(all: readonly KubeObject[], query: URLSearchParams): { items: KubeObject[]; rest: number } {
  const limit = Number(query.get("limit") ?? 0);
  const from = query.get("continue") ?? "";
  const left = from === "" ? all : all.filter((object) => positionOf(object) > readContinue(from));
  const items = limit > 0 ? left.slice(0, limit) : [...left];
  return { items, rest: left.length - items.length };
}

function positionOf(object: KubeObject): string {
  return `${textAt(object, "metadata", "namespace")}/${textAt(object, "metadata", "name")}`;
}

function continueAfter(object: KubeObject): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", start: positionOf(object) })).toString(
    "base64url",
  );
}

function readContinue(token: string): string {
  try {
    return textAt(parseJson(Buffer.from(token, "base64url").toString()), "start");
  } catch {
    throw badRequest("continue key is not valid");
  }
}
