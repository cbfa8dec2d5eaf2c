/**
 * What a request means to the API server, before it is asked: apiserver pkg/endpoints/request/requestinfo.go and
 * pkg/server/filters/longrunning.go. The fields are Kubernetes' own words; an empty string is "none", as there.
 */
export interface RequestInfo {
  /** For an API resource or subresource; else `verb` is the HTTP method in lower case and the rest is empty. */
  readonly isResourceRequest: boolean;
  /** get, list, watch, create, update, patch, delete, deletecollection, proxy; empty for a method it has no word for. */
  readonly verb: string;
  /** `api` or `apis`. */
  readonly apiPrefix: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** No time limit of the API server's applies: watch, exec, attach, port-forward, logs, proxy, profiles. */
  readonly longRunning: boolean;
}

/**
 * @param method  as sent: methods have a case (RFC 9110 §9.1)
 * @param target  path and query as sent, or an absolute URI
 */
export function requestInfo(method: string, target: string): RequestInfo {
  const { path, query } = split(target);
  const parts = pathParts(path);
  const prefix = parts[0] ?? "";
  if (parts.length < 3 || (prefix !== "api" && prefix !== "apis")) return nonResource(method, path, "");
  // `/apis/GROUP/VERSION` alone is discovery.
  if (prefix === "apis" && parts.length < 4) return nonResource(method, path, prefix);

  const grouped = prefix === "apis";
  const apiGroup = grouped ? (parts[1] ?? "") : "";
  const apiVersion = parts[grouped ? 2 : 1] ?? "";
  let rest = parts.slice(grouped ? 3 : 2);

  let verb: string;
  const legacyVerb = rest[0] === "watch" || rest[0] === "proxy";
  if (legacyVerb && rest.length < 2) {
    // The API server answers 500 here: what is known is told, with the method for a verb.
    return resource({ verb: method.toLowerCase(), apiPrefix: prefix, apiGroup, apiVersion, ...NOTHING });
  }
  if (legacyVerb) {
    verb = rest[0] ?? "";
    rest = rest.slice(1);
  } else {
    verb = VERBS.get(method) ?? "";
  }

  let namespace = "";
  if (rest[0] === "namespaces" && rest.length > 1) {
    namespace = rest[1] ?? "";
    if (rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize") rest = rest.slice(2);
  }
  let name = rest[1] ?? "";
  if (name === "" && verb === "get") {
    const list = listOptions(query);
    verb = list.watch ? "watch" : "list";
    name = list.name;
  }
  if (name === "" && verb === "delete") verb = "deletecollection";
  return resource({
    verb,
    apiPrefix: prefix,
    apiGroup,
    apiVersion,
    namespace,
    resource: rest[0] ?? "",
    subresource: verb === "proxy" ? "" : (rest[2] ?? ""),
    name,
  });
}

const NOTHING = { namespace: "", resource: "", subresource: "", name: "" } as const;

const VERBS: ReadonlyMap<string, string> = new Map([
  ["POST", "create"],
  ["GET", "get"],
  ["HEAD", "get"],
  ["PUT", "update"],
  ["PATCH", "patch"],
  ["DELETE", "delete"],
]);

const LONG_RUNNING_SUBRESOURCES: ReadonlySet<string> = new Set([
  "attach",
  "exec",
  "log",
  "portforward",
  "proxy",
]);

function nonResource(method: string, path: string, apiPrefix: string): RequestInfo {
  const verb = method.toLowerCase();
  return {
    isResourceRequest: false,
    verb,
    apiPrefix,
    apiGroup: "",
    apiVersion: "",
    ...NOTHING,
    longRunning: verb === "watch" || verb === "proxy" || decode(path).startsWith("/debug/pprof/"),
  };
}

function resource(fields: Omit<RequestInfo, "isResourceRequest" | "longRunning">): RequestInfo {
  return {
    isResourceRequest: true,
    ...fields,
    longRunning:
      fields.verb === "watch" || fields.verb === "proxy" || LONG_RUNNING_SUBRESOURCES.has(fields.subresource),
  };
}

function split(target: string): { readonly path: string; readonly query: string } {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i.exec(target);
  const relative = absolute === null ? target : target.slice(absolute[0].length);
  const question = relative.indexOf("?");
  if (question < 0) return { path: relative, query: "" };
  return { path: relative.slice(0, question), query: relative.slice(question + 1) };
}

/** Outer slashes go, inner empty parts stay: `//` shifts the fields, as on the API server. */
function pathParts(path: string): string[] {
  const trimmed = decode(path).replace(/^\/+/, "");
  let end = trimmed.length;
  while (trimmed.charCodeAt(end - 1) === 0x2f) end -= 1;
  return end <= 0 ? [] : trimmed.slice(0, end).split("/");
}

interface ListOptions {
  readonly watch: boolean;
  readonly name: string;
}

/**
 * The two list options that change what a request is. When one of the others cannot be read the API server forgets
 * them all but `watch`; the numbers are what a client may get wrong.
 */
function listOptions(query: string): ListOptions {
  const values = new Map<string, string>();
  for (const parameter of query.split("&")) {
    // Go's url.Query drops a parameter with a semicolon.
    if (parameter === "" || parameter.includes(";")) continue;
    const equals = parameter.indexOf("=");
    const key = decodeQuery(equals < 0 ? parameter : parameter.slice(0, equals));
    if (!values.has(key)) values.set(key, equals < 0 ? "" : decodeQuery(parameter.slice(equals + 1)));
  }
  const watch = values.get("watch")?.toLowerCase();
  const readable = ["limit", "timeoutSeconds"].every((key) => /^[+-]?\d+$/.test(values.get(key) ?? "0"));
  return {
    // Absent, `0` and `false` are no; all else is yes, also an empty value.
    watch: watch !== undefined && watch !== "0" && watch !== "false",
    name: readable ? exactName(values.get("fieldSelector") ?? "") : "",
  };
}

/** The name that `metadata.name=N` asks for (apimachinery pkg/fields/selector.go); empty: none, or a bad selector. */
function exactName(selector: string): string {
  let found: string | undefined;
  // Terms are cut at commas without a backslash in front; the first operator in a term counts.
  for (const term of selector.split(/(?<!\\),/)) {
    if (term === "") continue;
    const parts = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (parts === null) return "";
    const [, field, operator, value = ""] = parts;
    if (/\\(?![\\,=])/.test(value.replace(/\\\\/g, ""))) return "";
    if (field === "metadata.name" && operator !== "!=") found ??= value.replace(/\\([\\,=])/g, "$1");
  }
  if (found === undefined || found === "." || found === ".." || /[/%]/.test(found)) return "";
  return found;
}

function decodeQuery(text: string): string {
  return decode(text.replaceAll("+", " "));
}

/** Percent-decoding; what is no UTF-8 or a broken escape stays as it is (the API server refuses it). */
function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
