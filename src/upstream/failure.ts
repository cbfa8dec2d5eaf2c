import type { ReasonCode } from "../events/index.ts";
import { printable } from "./names.ts";
import { errorCode, type HostAddresses } from "./resolve.ts";

/** Why a server could not be reached (codebases such as pingora: what, whose side, whether to repeat). */
export interface DialFailure {
  readonly kind: "failed";
  readonly reason: ReasonCode;
  /** One line for the operator: address, what was tried, what to do. */
  readonly detail: string;
  /** `never`: no other server would do better (the client left, the gate has no sockets left). */
  readonly retry: "other_server" | "never";
  /** The socket's or OpenSSL's own word for it, where there is one. */
  readonly code?: string;
}

/** How far a dial had come. */
export interface DialProgress {
  /** `10.1.0.11:6443`. */
  readonly address: string;
  readonly tls: boolean;
  /** TCP is connected. */
  connected: boolean;
}

/** Reasons that the next try at the same server may well do away with. */
const PASSING: ReadonlySet<ReasonCode> = new Set([
  "dial_refused",
  "dial_timeout",
  "dial_failed",
  "server_tls_failed",
]);

/** A server that was understood and said no by an alert will say no again. */
const SETTLED = /NO_APPLICATION_PROTOCOL|PROTOCOL_VERSION|UNRECOGNIZED_NAME/;

export function mayPass({ reason, code = "" }: Pick<DialFailure, "reason" | "code">): boolean {
  return PASSING.has(reason) && !SETTLED.test(code);
}

export function failed(
  reason: ReasonCode,
  detail: string,
  retry: DialFailure["retry"] = "other_server",
): DialFailure {
  return { kind: "failed", reason, detail, retry };
}

export function clientGone(): DialFailure {
  return failed("client_gone", "the client left while its server was dialled", "never");
}

/** The dial took longer than its limit. */
export function tooSlow({ address, tls, connected }: DialProgress, limitMs: number | undefined): DialFailure {
  const limit = seconds(limitMs);
  if (tls && connected) {
    return failed(
      "dial_timeout",
      `${address} accepts connections but did not finish the TLS handshake within ${limit}: ` +
        `is the API server overloaded or hanging, or does this port speak something else?`,
    );
  }
  return failed(
    "dial_timeout",
    `${address} did not answer within ${limit}: is the address right, and does a firewall drop the gate's packets?`,
  );
}

export function unresolved(host: HostAddresses, limitMs: number | undefined): DialFailure {
  const why = host.failure === undefined ? `no answer within ${seconds(limitMs)}` : host.failure;
  return failed(
    "name_unresolved",
    `the server's name "${printable(host.host)}" does not resolve (${printable(why)}): correct it, or mend the DNS; ` +
      `the gate goes on looking for it`,
  );
}

/** A socket's error in words. @param error  as `dialTcp` and `dialTls` reject */
export function explain(error: unknown, progress: DialProgress): DialFailure {
  const code = errorCode(error);
  const { address, tls, connected } = progress;
  const failure =
    (connected ? undefined : OF_TCP[code]?.(address)) ??
    (connected && tls ? explainTls(code, address) : undefined) ??
    failed("dial_failed", `connecting to ${address} failed (${printable(code)})`);
  return { ...failure, code };
}

const OF_TCP: Readonly<Record<string, (address: string) => DialFailure>> = {
  ECONNREFUSED: (address) =>
    failed(
      "dial_refused",
      `${address} refuses the connection: is the API server running, and is this its port?`,
    ),
  ETIMEDOUT: (address) =>
    failed(
      "dial_timeout",
      `${address} did not answer (ETIMEDOUT): is the address right, and does a firewall drop the gate's packets?`,
    ),
  EHOSTUNREACH: noWay,
  ENETUNREACH: noWay,
  EMFILE: noSockets,
  ENFILE: noSockets,
};

function noWay(address: string): DialFailure {
  return failed(
    "dial_failed",
    `no network path leads to ${address}: look at routes, VPN and firewall of the gate`,
  );
}

function noSockets(address: string): DialFailure {
  return failed(
    "dial_failed",
    `the gate has no file descriptors left to connect to ${address}: raise its limit (ulimit -n, LimitNOFILE)`,
    "never",
  );
}

/** Node names OpenSSL's errors `ERR_SSL_` and the reason (openssl/sslerr.h); alerts are the server's own words. */
function explainTls(code: string, address: string): DialFailure {
  const advice = OF_TLS.find(([pattern]) => pattern.test(code))?.[1];
  const what = advice ?? "the TLS handshake failed";
  return failed("server_tls_failed", `${address}: ${what} (${printable(code)})`);
}

const OF_TLS: readonly (readonly [code: RegExp, advice: string])[] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST|RECORD_LAYER_FAILURE/,
    `what answers there is not TLS: correct the port, or leave "ssl" out if it really speaks plain text`,
  ],
  [
    /NO_APPLICATION_PROTOCOL/,
    "the server speaks none of the protocols offered to it: compare the server's alpn with what it supports",
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW/,
    "gate and server have no TLS version in common: compare ssl-min-ver and ssl-max-ver with what it supports",
  ],
  [/UNRECOGNIZED_NAME/, "the server does not know the server name it was sent, or wants one: set sni"],
  [
    /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED/,
    "the server does not accept the gate's client certificate, or wants one: set crt on the server line",
  ],
  [
    /DH_KEY_TOO_SMALL|EE_KEY_TOO_SMALL|MD_TOO_WEAK/,
    "the server's keys are too weak for today's OpenSSL: renew them",
  ],
  [
    /HANDSHAKE_FAILURE|NO_SHARED_CIPHER|NO_CIPHERS/,
    "the server found no TLS parameters in common: compare ciphers and versions, and whether it wants a client certificate",
  ],
  [
    /ECONNRESET|ECONNABORTED|EPIPE|UNEXPECTED_EOF/,
    "the server closed the connection during the TLS handshake: does this port speak TLS, and may the gate connect to it?",
  ],
];

function seconds(ms: number | undefined): string {
  if (ms === undefined) return "the time allowed";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
