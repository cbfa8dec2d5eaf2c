/**
 * kubernetes/: the API's grammar, as pure functions. request-info.ts reads what a request means (verb, resource,
 * namespace, name, long-running), status.ts writes the answer kubectl understands, redact.ts knows where clients of
 * this API carry secrets and takes them out of what is shown.
 * Start at request-info.ts. Knows nothing of sockets, events, clusters.
 */
export * from "./redact.ts";
export * from "./request-info.ts";
export * from "./status.ts";
