/**
 * The one table of what can go wrong on the wire: code → sentence, HTTP status, Kubernetes reason, termination state.
 * Sentences are for the person at kubectl; what only the operator may know goes into an event's `detail`.
 */
export interface Reason {
  /** The state HAProxy would log (manual §8.5): who ended it, when. */
  readonly termination: string;
  /** The status of the local answer; undefined: the lane is cut without one. */
  readonly status?: number;
  /** `reason` of the Kubernetes Status; left out where Kubernetes has no word for it. */
  readonly kubernetes?: string;
  readonly sentence: string;
  /** Prometheus label value. */
  readonly label: string;
}

function reason(
  termination: string,
  status: number | undefined,
  kubernetes: string | undefined,
  label: string,
  sentence: string,
): Reason {
  return {
    termination,
    label,
    sentence,
    ...(status !== undefined && { status }),
    ...(kubernetes !== undefined && { kubernetes }),
  };
}

export const REASONS = {
  // A client's request.
  bad_request: reason(
    "PR",
    400,
    "BadRequest",
    "bad_request",
    "the request is not valid HTTP and was refused by the gate",
  ),
  plain_http: reason(
    "PR",
    400,
    "BadRequest",
    "plain_http",
    "Client sent an HTTP request to an HTTPS server.",
  ),
  head_too_large: reason(
    "PR",
    431,
    undefined,
    "head_too_large",
    "the request's headers are larger than the gate allows",
  ),
  head_too_slow: reason("cR", 408, "Timeout", "head_too_slow", "the request did not arrive in time"),
  client_gone_in_head: reason(
    "CR",
    400,
    "BadRequest",
    "client_gone",
    "the client left before its request was complete",
  ),
  connect_refused: reason(
    "PR",
    405,
    "MethodNotAllowed",
    "connect_method",
    "CONNECT is not allowed through this gate",
  ),
  wrong_authority: reason(
    "PR",
    421,
    undefined,
    "wrong_authority",
    "this connection was made for another server name; connect again for this one",
  ),
  denied: reason("PR", 403, "Forbidden", "denied", "the gate's policy does not allow this request"),
  too_many_connections: reason("PR", 429, "TooManyRequests", "too_many_connections", "too many connections"),
  no_route: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "no_route",
    "no cluster is configured at this gate for the name you used",
  ),
  // A lane's client.
  client_gone: reason("CD", undefined, undefined, "client_gone", "the client left"),
  client_idle: reason("cD", undefined, undefined, "client_idle", "the client was silent for too long"),
  tunnel_idle: reason("cD", undefined, undefined, "tunnel_idle", "the stream was silent for too long"),
  protocol_error: reason(
    "PR",
    undefined,
    undefined,
    "protocol_error",
    "the client broke the HTTP/2 protocol",
  ),
  // Handshakes.
  handshake_failed: reason("PR", undefined, undefined, "handshake", "SSL handshake failure"),
  handshake_timeout: reason("cR", undefined, undefined, "handshake_timeout", "Timeout during SSL handshake"),
  handshake_closed: reason(
    "CR",
    undefined,
    undefined,
    "handshake_closed",
    "Connection closed during SSL handshake",
  ),
  unknown_server_name: reason(
    "PR",
    undefined,
    undefined,
    "unknown_server_name",
    "no certificate for this server name",
  ),
  not_tls: reason("PR", undefined, undefined, "not_tls", "the client does not speak TLS"),
  // Servers.
  no_server: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "no_server",
    "no API server of this cluster can be reached from the gate at the moment",
  ),
  dial_refused: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "dial_refused",
    "the API server refuses connections from the gate",
  ),
  dial_timeout: reason(
    "sC",
    503,
    "ServiceUnavailable",
    "dial_timeout",
    "the API server did not accept the gate's connection in time",
  ),
  dial_failed: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "dial_failed",
    "the gate could not connect to the API server",
  ),
  name_unresolved: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "name_unresolved",
    "the API server's name cannot be resolved by the gate",
  ),
  server_tls_failed: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_tls",
    "the gate's TLS handshake with the API server failed",
  ),
  server_untrusted: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_untrusted",
    "the gate does not trust the API server's certificate: it is not signed by the configured authority",
  ),
  server_wrong_name: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_wrong_name",
    "the gate does not trust the API server's certificate: it is made for another name",
  ),
  server_no_san: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_no_san",
    "the gate does not trust the API server's certificate: it has a common name only, no subject alternative names",
  ),
  server_expired: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_expired",
    "the gate does not trust the API server's certificate: it has expired",
  ),
  server_not_yet_valid: reason(
    "SC",
    503,
    "ServiceUnavailable",
    "server_not_yet_valid",
    "the gate does not trust the API server's certificate: it is not valid yet",
  ),
  server_closed: reason(
    "SH",
    502,
    "InternalError",
    "server_closed",
    "the API server closed the connection before it answered; the request may have been carried out",
  ),
  server_bad_response: reason(
    "PH",
    502,
    "InternalError",
    "server_bad_response",
    "the API server's answer is not valid HTTP",
  ),
  server_slow: reason("sH", 504, "Timeout", "server_slow", "the API server did not answer in time"),
  server_idle: reason("sD", undefined, undefined, "server_idle", "the API server was silent for too long"),
  server_gone: reason(
    "SD",
    undefined,
    undefined,
    "server_gone",
    "the API server closed the connection before its answer was complete",
  ),
  // Checks.
  check_passed: reason("--", undefined, undefined, "check_passed", "check passed"),
  check_status: reason("--", undefined, undefined, "check_status", "the check's answer has the wrong status"),
  check_forbidden: reason(
    "--",
    undefined,
    undefined,
    "check_forbidden",
    "alive, but the check is not allowed to read its path",
  ),
  check_timeout: reason("--", undefined, undefined, "check_timeout", "the check was not answered in time"),
  // Of the gate itself.
  local_answer: reason("LR", undefined, undefined, "local", "answered by the gate"),
  stopping: reason("K-", 503, "ServiceUnavailable", "stopping", "the gate is shutting down"),
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;
