import { requestInfo } from "../kubernetes/index.ts";
import { type Guard, PASS } from "./guard.ts";

/**
 * Refuses paths that two readers may take for two things: empty and dot segments, encoded slashes, backslashes and
 * control characters. kube-apiserver cuts a path at its slashes after decoding, so `//` and `%2F` shift which part is
 * the namespace and which the name; a proxy on the way that tidies dots would make another request of it. What a rule
 * decides here must be what the API server does.
 *
 * Behind the `proxy` subresource of a pod, service or node the path belongs to somebody else's application: the API
 * server reads nothing in it (requestinfo.go stops at the subresource), so `//` and `%2F` go through there. Dot
 * segments stay refused even there: a hop that resolves them would climb out of the subresource, and clients resolve
 * them before they send. So do raw backslashes and control characters, which are no URI (RFC 3986 §2).
 *
 * For backends that are a Kubernetes API; the query is not looked at but for bytes that are no URI.
 */
export const refusePathTricks: Guard = ({ target }) => {
  if (!SUSPECT.test(target)) return PASS;
  const fault = faultOf(target);
  return fault === undefined
    ? PASS
    : { kind: "refuse", reason: "bad_request", message: `the gate refuses the request's path: ${fault}` };
};

/** One pass over the target lets nearly all of them go. */
const SUSPECT = /\/[/.]|%(?:[01][0-9a-f]|2[ef]|5c|7f|(?![0-9a-f]{2}))|[^!"$-[\]-~]/i;

function faultOf(target: string): string | undefined {
  if (/[^!-~]/.test(target)) return "it contains a space, a control character or a byte beyond ASCII";
  if (target.includes("#")) return "it contains #, which no request target has";
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  if (path.includes("\\")) return "it contains a backslash";
  if (/%(?![0-9a-f]{2})/i.test(path)) return "it contains a % that encodes nothing";
  // What may decode to a slash counts as one here.
  if (path.split(/\/|\\|%2f|%5c/i).some(isDotSegment)) return "it contains a dot segment";
  const local = withoutScheme(path);
  const trick = /\/\/|%(?:2f|5c|[01][0-9a-f]|7f)/i.exec(local);
  if (trick === null) return undefined;
  const before = local.slice(0, trick.index);
  // The segment that a `//` ends is whole; one with an encoded byte in it is not.
  if (isProxy(trick[0] === "//" ? before : before.slice(0, before.lastIndexOf("/") + 1))) return undefined;
  if (trick[0] === "//") return "it contains //";
  return `it contains ${trick[0]}, an encoded slash, backslash or control character`;
}

function isDotSegment(segment: string): boolean {
  const plain = segment.replace(/%2e/gi, ".");
  return plain === "." || plain === "..";
}

/** An absolute target has one `//` by right. */
function withoutScheme(path: string): string {
  return path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "");
}

/** @param path  whole segments without any trick, so that it means the same to everybody */
function isProxy(path: string): boolean {
  const info = requestInfo("GET", path);
  return info.isResourceRequest && info.subresource === "proxy";
}
