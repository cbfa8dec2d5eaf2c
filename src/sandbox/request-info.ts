import { findResource, type Resource } from "./resources.ts";
import type { ObjectKey } from "./store.ts";

/**
 * What a request asks for, after the API server's own reading of paths (apiserver
 * pkg/endpoints/request/requestinfo.go). The sandbox reads for itself, so that it can be an oracle for the gate.
 */
export interface RequestInfo {
  readonly path: string;
  readonly verb: string;
  /** undefined for paths such as /version or /apis. */
  readonly target?: Target;
}

export interface Target {
  readonly group: string;
  readonly version: string;
  /** As the path says, known or not. */
  readonly plural: string;
  readonly resource?: Resource;
  readonly namespace: string;
  readonly name: string;
  /** Under which the object is kept: namespaces themselves, whose path names them twice, under no namespace. */
  readonly key: ObjectKey;
  readonly subresource: string;
  /** What stands behind the subresource, as `proxy` uses it. */
  readonly rest: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

export function readRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = path.replace(/^\/+|\/+$/g, "").split("/");
  const prefix = parts[0] === "api" ? 2 : parts[0] === "apis" ? 3 : undefined;
  if (prefix === undefined || parts.length <= prefix) return { path, verb: method.toLowerCase() };
  const group = prefix === 2 ? "" : parts[1]!;
  const version = parts[prefix - 1]!;
  const target = readTarget(group, version, parts.slice(prefix).map(decode));
  return { path, verb: verbOf(verbs[method] ?? "", target, query), target };
}

function readTarget(group: string, version: string, given: readonly string[]): Target {
  let parts = given;
  let namespace = "";
  if (parts[0] === "namespaces" && parts[1] !== undefined) {
    namespace = parts[1];
    const isOfNamespaceItself = parts[2] === undefined || parts[2] === "status" || parts[2] === "finalize";
    if (!isOfNamespaceItself) parts = parts.slice(2);
  }
  const [plural = "", name = "", subresource = "", ...rest] = parts;
  const resource = findResource(group, version, plural);
  return {
    group,
    version,
    plural,
    ...(resource !== undefined && { resource }),
    namespace: resource?.namespaced === false && plural !== "namespaces" ? "" : namespace,
    name,
    key: { namespace: resource?.namespaced === true ? namespace : "", name },
    subresource,
    rest,
  };
}

function verbOf(verb: string, target: Target, query: URLSearchParams): string {
  if (target.name !== "") return verb;
  if (verb === "get") return isWatch(query) ? "watch" : "list";
  return verb === "delete" ? "deletecollection" : verb;
}

/** Anything but absent, `0` and `false` is a watch, the empty text too. */
function isWatch(query: URLSearchParams): boolean {
  const value = query.get("watch")?.toLowerCase();
  return value !== undefined && value !== "0" && value !== "false";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
