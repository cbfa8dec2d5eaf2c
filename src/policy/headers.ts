/**
 * Request headers that a client may not set: they would tell the API server who is asking, or where from
 * (kube-apiserver `--requestheader-*`; apimachinery util/net/http.go reads X-Forwarded-For and X-Real-Ip).
 * Always removed; the gate then sets X-Forwarded-For itself.
 */
const REMOVED: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-server",
  "x-forwarded-uri",
  "x-real-ip",
  "x-remote-user",
  "x-remote-group",
  "x-remote-uid",
]);

/** @param name  a header name in lower case. */
export function isRemovedHeader(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== 0x78 /* x */ && first !== 0x66 /* f */) return false;
  return REMOVED.has(name) || name.startsWith("x-remote-") || name.startsWith("x-forwarded-");
}
