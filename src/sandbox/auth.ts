import type { TLSSocket } from "node:tls";
import { ApiError, badRequest, unauthorized } from "./errors.ts";
import type { RequestInfo, Target } from "./request-info.ts";
import { readProtocols } from "./websocket/handshake.ts";

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
}

export type Tokens = ReadonlyMap<string, User>;

/** Header lines as they came: names in lower case, repeated names as repeated pairs. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

export const anonymous: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** Group whose members may do everything. */
export const mastersGroup = "system:masters";

/** Group whose members may read everything but secrets. Ours; a real cluster would say it by RBAC. */
export const viewersGroup = "sandbox:viewers";

export function linesOf(headers: HeaderLines, name: string): string[] {
  return headers.filter(([have]) => have === name).map(([, value]) => value);
}

/**
 * Who asks. A client certificate goes before a token, as in kube-apiserver; a token may also come among the WebSocket
 * subprotocols.
 * @throws ApiError Unauthorized when a token is unknown, or a certificate is not signed by the client CA
 */
export function authenticate(socket: TLSSocket | undefined, headers: HeaderLines, tokens: Tokens): User {
  const byCertificate = socket === undefined ? undefined : certificateUser(socket);
  if (byCertificate !== undefined) return authenticated(byCertificate);
  const token = bearerToken(headers);
  if (token === undefined) return anonymous;
  const user = tokens.get(token);
  if (user === undefined) throw unauthorized();
  return authenticated(user);
}

function authenticated(user: User): User {
  const group = "system:authenticated";
  return user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] };
}

/** CN is the user, every O a group (apiserver pkg/authentication/request/x509/x509.go). */
function certificateUser(socket: TLSSocket): User | undefined {
  const certificate = socket.getPeerCertificate();
  const subject = certificate?.subject;
  if (subject === undefined || Object.keys(subject).length === 0) return undefined;
  if (!socket.authorized) throw unauthorized();
  const { CN, O } = subject;
  return { name: String(CN ?? ""), groups: O === undefined ? [] : [O].flat().map(String) };
}

function bearerToken(headers: HeaderLines): string | undefined {
  for (const value of linesOf(headers, "authorization")) {
    const match = /^bearer +(\S+)$/i.exec(value.trim());
    if (match !== null) return match[1];
  }
  return readProtocols(linesOf(headers, "sec-websocket-protocol")).token;
}

/**
 * Whom a request asks to act as.
 * @throws ApiError Forbidden when the user may not, BadRequest when groups come without a user
 */
export function impersonated(user: User, headers: HeaderLines): User {
  const name = linesOf(headers, "impersonate-user")[0];
  const groups = linesOf(headers, "impersonate-group");
  if (name === undefined && groups.length > 0) {
    throw badRequest("requested [{Group  ...}] without impersonating a user");
  }
  if (name === undefined) return user;
  if (!user.groups.includes(mastersGroup)) {
    const message = `users "${name}" is forbidden: User "${user.name}" cannot impersonate resource "users" in API group "" at the cluster scope`;
    throw new ApiError(403, "Forbidden", message, { name, kind: "users" });
  }
  return authenticated({ name, groups });
}

const openPaths = new Set(["/healthz", "/livez", "/readyz", "/version", "/version/"]);
const discoveryPaths = /^\/(api|apis|openapi)(\/|$)/;
const reviews = new Set(["selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"]);

/** What is asked, reduced to what the decision needs; self-reviews ask about it without doing it. */
export interface Attributes {
  readonly verb: string;
  readonly path?: string;
  readonly group?: string;
  readonly plural?: string;
  readonly subresource?: string;
}

export function isAllowed(user: User, asked: Attributes): boolean {
  if (user.groups.includes(mastersGroup)) return true;
  const isAuthenticated = user.groups.includes("system:authenticated");
  if (asked.path !== undefined) {
    if (asked.verb !== "get") return false;
    const base = asked.path.replace(/\/(ping|etcd)$/, "");
    return openPaths.has(base) || (isAuthenticated && discoveryPaths.test(asked.path));
  }
  if (isAuthenticated && asked.verb === "create" && reviews.has(asked.plural ?? "")) return true;
  const isRead = ["get", "list", "watch"].includes(asked.verb);
  const isPlainRead =
    isRead && asked.plural !== "secrets" && ["", "log", "status"].includes(asked.subresource ?? "");
  return isPlainRead && user.groups.includes(viewersGroup);
}

/** @throws ApiError Forbidden, in kube-apiserver's words */
export function authorize(user: User, info: RequestInfo): void {
  const { target, verb, path } = info;
  const asked: Attributes =
    target === undefined
      ? { verb, path }
      : { verb, group: target.group, plural: target.plural, subresource: target.subresource };
  if (isAllowed(user, asked)) return;
  if (target !== undefined) throw forbidden(user, verb, target);
  throw new ApiError(403, "Forbidden", `forbidden: User "${user.name}" cannot ${verb} path "${path}"`, {});
}

/** apiserver pkg/endpoints/handlers/responsewriters/errors.go */
function forbidden(user: User, verb: string, target: Target): ApiError {
  const plural = target.group === "" ? target.plural : `${target.plural}.${target.group}`;
  const subject = target.name === "" ? plural : `${plural} "${target.name}"`;
  const what = target.subresource === "" ? target.plural : `${target.plural}/${target.subresource}`;
  const where = target.namespace === "" ? "at the cluster scope" : `in the namespace "${target.namespace}"`;
  const message =
    `${subject} is forbidden: User "${user.name}" cannot ${verb} resource "${what}" ` +
    `in API group "${target.group}" ${where}`;
  return new ApiError(403, "Forbidden", message, {
    ...(target.name !== "" && { name: target.name }),
    ...(target.group !== "" && { group: target.group }),
    kind: target.plural,
  });
}
