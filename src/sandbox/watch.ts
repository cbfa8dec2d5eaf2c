import type { Call } from "./call.ts";
import { ApiError } from "./errors.ts";
import type { JsonObject, KubeObject } from "./json.ts";
import { apiVersionOf, type Resource } from "./resources.ts";
import type { Selector } from "./selectors.ts";
import type { Change, ChangeType, Store } from "./store.ts";
import { type TableOptions, tableOf } from "./table.ts";

export interface WatchScope {
  readonly resource: Resource;
  readonly namespace: string;
  readonly selector: Selector;
  /** The client wants rows instead of objects. */
  readonly table?: Pick<TableOptions, "version" | "includeObject">;
}

export interface WatchOptions {
  readonly bookmarkMs: number;
  readonly onStream: (open: boolean) => void;
}

/**
 * `?watch=true`: one JSON event a line, each written at once (apiserver pkg/endpoints/handlers/watch.go). Without a
 * version, or with 0, the present state comes first as ADDED.
 */
export function serveWatch(call: Call, store: Store, scope: WatchScope, options: WatchOptions): void {
  const { query, response } = call;
  const stream = new WatchStream(call, scope);
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  const unfollow = begin(stream, store, scope, query);
  if (unfollow === undefined) return;
  const timers: NodeJS.Timeout[] = [];
  const timeoutSeconds = Number(query.get("timeoutSeconds") ?? 0);
  if (timeoutSeconds > 0) timers.push(setTimeout(() => response.end(), timeoutSeconds * 1000).unref());
  if (wantsBookmarks(query)) {
    timers.push(setInterval(() => stream.bookmark(store.revision), options.bookmarkMs).unref());
  }
  options.onStream(true);
  response.on("close", () => {
    unfollow();
    for (const timer of timers) clearTimeout(timer);
    options.onStream(false);
  });
}

/** @returns ends the following; undefined when it could not begin, and has been answered */
function begin(
  stream: WatchStream,
  store: Store,
  scope: WatchScope,
  query: URLSearchParams,
): (() => void) | undefined {
  const asked = query.get("resourceVersion") ?? "";
  const wantsInitial = query.get("sendInitialEvents") === "true";
  let from = Number(asked);
  if (asked === "" || asked === "0" || wantsInitial) {
    for (const object of store.list(scope.resource, scope.namespace)) {
      if (scope.selector(object)) stream.event("ADDED", object);
    }
    if (wantsInitial && wantsBookmarks(query)) {
      stream.bookmark(store.revision, { "k8s.io/initial-events-end": "true" });
    }
    from = store.revision;
  }
  try {
    return store.follow(from, (change) => stream.change(change));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    stream.end({ type: "ERROR", object: error.status() });
    return undefined;
  }
}

function wantsBookmarks(query: URLSearchParams): boolean {
  return query.get("allowWatchBookmarks") === "true";
}

class WatchStream {
  private readonly call: Call;
  private readonly scope: WatchScope;
  private hasColumns = false;

  constructor(call: Call, scope: WatchScope) {
    this.call = call;
    this.scope = scope;
  }

  /** A change of the store as this watch sees it: what enters or leaves its selection is added or deleted. */
  change(change: Change): void {
    const { resource, namespace, selector } = this.scope;
    if (change.resource !== resource) return;
    if (namespace !== "" && change.object.metadata.namespace !== namespace) return;
    const isIn = change.type !== "DELETED" && selector(change.object);
    const wasIn = change.previous !== undefined && selector(change.previous);
    if (isIn) this.event(wasIn ? "MODIFIED" : "ADDED", change.object);
    else if (wasIn) this.event("DELETED", change.object);
  }

  event(type: ChangeType, object: KubeObject): void {
    this.write({ type, object: this.shown(object) });
  }

  bookmark(revision: number, annotations?: JsonObject): void {
    const { resource } = this.scope;
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    this.write({
      type: "BOOKMARK",
      object: { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata },
    });
  }

  end(event: JsonObject): void {
    this.write(event);
    this.call.response.end();
  }

  private shown(object: KubeObject): JsonObject {
    const { table, resource } = this.scope;
    if (table === undefined) return object;
    const metadata = { resourceVersion: object.metadata.resourceVersion ?? "" };
    const rows = tableOf(resource, [object], metadata, { ...table, withColumns: !this.hasColumns });
    this.hasColumns = true;
    return rows;
  }

  private write(event: JsonObject): void {
    if (!this.call.response.writableEnded) this.call.response.write(`${JSON.stringify(event)}\n`);
  }
}
