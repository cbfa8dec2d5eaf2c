/**
 * A Kubernetes `Status` of kind Failure, as kubectl prints it
 * (apimachinery pkg/apis/meta/v1/types.go).
 */
export interface FailureStatus {
  readonly code: number;
  /** `Forbidden`, `ServiceUnavailable` …; left out for codes Kubernetes has no reason for (421, 431). */
  readonly reason?: string;
  readonly message: string;
  readonly details?: object;
}

/** The JSON text of a Failure, fields in the API server's order. */
export function failureStatus(status: FailureStatus): string {
  return `${JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: status.message,
    ...(status.reason !== undefined && { reason: status.reason }),
    details: status.details ?? {},
    code: status.code,
  })}\n`;
}

/**
 * Whether a path is one of the two that kubectl asks first with a cold cache. There it ignores a Status body and shows
 * only a text/plain one, with 403 or 502 (client-go discovery, seen with kubectl 1.32).
 */
export function isDiscoveryRoot(target: string): boolean {
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  return path === "/api" || path === "/apis" || path === "/api/" || path === "/apis/";
}
