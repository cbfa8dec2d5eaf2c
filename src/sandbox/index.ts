/**
 * The sandbox: a small Kubernetes API on Node's own http and http2, for `postern demo` and the tests. It is no cluster:
 * nothing is scheduled, no image runs, a pod is a folder and a log (README.md beside this file says what it does and
 * what not).
 *
 * It shares no parser with the gate, so that each can be the other's oracle: of our own rooms it knows none.
 * Start reading at `sandbox.ts` (options and handle), then `listener.ts` (a request comes in) and `api.ts` (who answers
 * it). `streams/` holds exec, attach and port-forward over `websocket/` and `spdy/`; `client/` is the client that the
 * demo checks itself with.
 */
export type { StreamKind } from "./api.ts";
export type { HeaderLines, User } from "./auth.ts";
export { mastersGroup, viewersGroup } from "./auth.ts";
export { type ApiTarget, ClientError } from "./client/connect.ts";
export { type ExecOptions, type ExecResult, exec, type StreamTransport } from "./client/exec.ts";
export { openPortForward, type PortForward } from "./client/port-forward.ts";
export {
  type Answer,
  annotationPatch,
  followLog,
  type HttpVersion,
  list,
  type RequestOptions,
  request,
  type WatchEvent,
  watchOne,
} from "./client/request.ts";
export type { Json, JsonObject, KubeObject } from "./json.ts";
export type { SandboxOptions, SeenRequest } from "./options.ts";
export { podEchoPort, podHttpPort } from "./pod-ports.ts";
export { findResource, type Resource, resourceNamed } from "./resources.ts";
export { type Sandbox, startSandbox } from "./sandbox.ts";
export type { Change, ObjectKey, Store } from "./store.ts";
export { gitVersion } from "./version.ts";
