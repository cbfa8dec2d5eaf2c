import { linesOf, type User } from "./auth.ts";
import { acceptedTypes, type Call, jsonType, sendJson, sendText } from "./call.ts";
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions } from "./discovery.ts";
import { ApiError, badRequest, methodNotAllowed, notFound, pageNotFound } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { serveLog } from "./logs.ts";
import { openApiV2Document } from "./openapi/v2.ts";
import { openApiV3Document, openApiV3Index } from "./openapi/v3.ts";
import { sendObject, serveList, startWatch } from "./read.ts";
import type { Target } from "./request-info.ts";
import { isStored, type Resource, resourceNamed } from "./resources.ts";
import { serveReview, serveTokenRequest } from "./reviews.ts";
import { servePodProxy } from "./streams/pod-proxy.ts";
import { version } from "./version.ts";
import {
  type Cluster,
  serveCreate,
  serveDelete,
  serveDeleteCollection,
  servePatch,
  serveUpdate,
} from "./write.ts";

/** Everything an answer may need of the running sandbox. */
export interface Api {
  readonly cluster: Cluster;
  readonly tokens: Map<string, User>;
  readonly ports: ReadonlyMap<number, number>;
  readonly bookmarkMs: number;
  isReady(): boolean;
  countStream(kind: StreamKind, open: boolean): void;
}

export type StreamKind = "watch" | "log" | "exec" | "attach" | "portforward";

/** Answers one authorised request that is no upgrade. @throws ApiError for every answer that is a failure */
export async function serve(call: Call, api: Api): Promise<void> {
  const { target } = call.info;
  if (target === undefined) return servePath(call, api);
  const { resource } = target;
  if (resource === undefined || !resource.verbs.includes(verbToList(call.info.verb, target)))
    throw pageNotFound();
  if (target.subresource !== "") return serveSubresource(call, api, resource, target);
  if (!isStored(resource)) return serveReview(call, resource, api.tokens);
  return serveResource(call, api, resource, target);
}

/** Subresources bring verbs of their own; only the parent must exist. */
function verbToList(verb: string, target: Target): string {
  return target.subresource === "" ? verb : "get";
}

async function serveResource(call: Call, api: Api, resource: Resource, target: Target): Promise<void> {
  const { cluster } = api;
  switch (call.info.verb) {
    case "get":
      return sendObject(call, 200, resource, cluster.store.get(resource, target.key));
    case "list":
      return serveList(call, cluster.store, resource, target);
    case "watch":
      return startWatch(call, cluster.store, resource, target, {
        bookmarkMs: api.bookmarkMs,
        onStream: (open) => api.countStream("watch", open),
      });
    case "create":
      if (target.name !== "") throw methodNotAllowed();
      return serveCreate(call, cluster, resource, target);
    case "update":
      return serveUpdate(call, cluster, resource, target);
    case "patch":
      return servePatch(call, cluster, resource, target);
    case "delete":
      return serveDelete(call, cluster, resource, target);
    case "deletecollection":
      return serveDeleteCollection(call, cluster, resource, target);
    default:
      throw methodNotAllowed();
  }
}

async function serveSubresource(call: Call, api: Api, resource: Resource, target: Target): Promise<void> {
  const { store, pods } = api.cluster;
  const known = resource.subresources.find((sub) => sub.name === target.subresource);
  if (known === undefined) throw pageNotFound();
  if (!known.verbs.includes(call.info.verb)) throw methodNotAllowed();
  const object = store.get(resource, target.key);
  switch (target.subresource) {
    case "status":
    case "ephemeralcontainers":
      if (call.info.verb === "get") return sendObject(call, 200, resource, object);
      return call.info.verb === "patch"
        ? servePatch(call, api.cluster, resource, target)
        : serveUpdate(call, api.cluster, resource, target);
    case "log":
      return serveLog(call, object, pods.logOf(target.key), (open) => api.countStream("log", open));
    case "eviction":
      pods.end(target.key);
      return sendJson(call, 201, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Success",
        code: 201,
      });
    case "token":
      return serveTokenRequest(call, target, api.tokens);
    case "proxy":
      return servePodProxy(call, target, api.ports);
    default:
      throw badRequest("Upgrade request required");
  }
}

function servePath(call: Call, api: Api): void {
  const { method, path } = call;
  if (method !== "GET" && method !== "HEAD") throw methodNotAllowed();
  const trimmed = path.replace(/\/+$/, "");
  switch (trimmed) {
    case "":
      sendJson(call, 200, {
        paths: [
          "/api",
          "/api/v1",
          "/apis",
          "/healthz",
          "/livez",
          "/openapi/v2",
          "/openapi/v3",
          "/readyz",
          "/version",
        ],
      });
      return;
    case "/version":
      sendJson(call, 200, version);
      return;
    case "/healthz":
    case "/livez":
      sendText(call, 200, "ok", "text/plain; charset=utf-8");
      return;
    case "/readyz":
      serveReadiness(call, api);
      return;
    case "/api":
    case "/apis":
      serveRoot(call, trimmed);
      return;
    case "/openapi/v2":
      serveOpenApiV2(call);
      return;
    case "/openapi/v3":
      sendJson(call, 200, openApiV3Index());
      return;
    default:
      serveDocument(call, trimmed);
      return;
  }
}

/** apiserver pkg/server/healthz/healthz.go */
function serveReadiness(call: Call, api: Api): void {
  const type = "text/plain; charset=utf-8";
  if (api.isReady()) {
    sendText(call, 200, "ok", type);
    return;
  }
  const text = "[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n";
  sendText(call, 500, text, type);
}

function serveRoot(call: Call, root: "/api" | "/apis"): void {
  const name = root === "/api" ? "api" : "apis";
  for (const { type, parameters } of acceptedTypes(call.headers)) {
    const isDiscovery = parameters.as === "APIGroupDiscoveryList" && parameters.g === "apidiscovery.k8s.io";
    if (type === jsonType && isDiscovery && (parameters.v === "v2" || parameters.v === "v2beta1")) {
      const contentType = `${jsonType};g=apidiscovery.k8s.io;v=${parameters.v};as=APIGroupDiscoveryList`;
      sendJson(call, 200, aggregatedDiscovery(name, parameters.v), contentType);
      return;
    }
    if (parameters.as === undefined) break;
  }
  const address = linesOf(call.headers, "host")[0] ?? linesOf(call.headers, ":authority")[0] ?? "";
  sendJson(call, 200, root === "/api" ? apiVersions(address) : apiGroupList());
}

function serveOpenApiV2(call: Call): void {
  const type = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
  if (!acceptedTypes(call.headers).some((accepted) => accepted.type === type || accepted.type === "*/*")) {
    throw new ApiError(406, "NotAcceptable", `only the following media types are accepted: ${type}`);
  }
  // The type asked for is no valid Content-Type ("@"), so newer servers answer with a dot in its place.
  sendText(call, 200, openApiV2Document(), type.replace("@", "."));
}

function serveDocument(call: Call, path: string): void {
  const found = documentAt(path.split("/").slice(1));
  if (found === undefined) throw pageNotFound();
  sendJson(call, 200, found);
}

function documentAt(parts: readonly string[]): JsonObject | undefined {
  const [root = "", first = "", second = "", ...more] = parts;
  if (root === "openapi" && first === "v3") return openApiV3Document([second, ...more].join("/"));
  if (more.length > 0) return undefined;
  if (root === "api") return second === "" ? apiResourceList("", first) : undefined;
  if (root !== "apis") return undefined;
  return second === "" ? apiGroup(first) : apiResourceList(first, second);
}

/** The pod that an exec, attach or port-forward is for. @throws ApiError NotFound, BadRequest */
export function upgradeTarget(call: Call, api: Api): Target {
  const { target } = call.info;
  const kinds = ["attach", "exec", "portforward"];
  if (target?.resource !== resourceNamed("pods") || !kinds.includes(target.subresource)) throw pageNotFound();
  if (api.cluster.store.find(target.resource, target.key) === undefined)
    throw notFound(target.resource, target.name);
  return target;
}
