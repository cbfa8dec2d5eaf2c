import {
  type HandshakeFailed,
  type LaneEnded,
  type LaneFacts,
  REASONS,
  type Reason,
  type ReasonCode,
  type RequestEnded,
  type ServerChanged,
} from "../events/index.ts";
import { redactTarget, redactText } from "../kubernetes/index.ts";
import type { Frontend, Server } from "../model/index.ts";
import { logDate } from "./dates.ts";

/** Connecting as one request sees it: a later request on the same connections waited for none. */
export interface ConnectShare {
  readonly queueMs: number;
  readonly connectMs: number;
  readonly retries: number;
}

/**
 * `httplog`, field for field (HAProxy manual §8.2.3), held against HAProxy 2.6 by test/httplog-haproxy.test.ts:
 * `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq "%r"`
 */
export function httpLine(event: RequestEnded, share: ConnectShare): string {
  const { lane } = event;
  const reached = reachedServer(event);
  const waits = reached ? `${queued(lane, share.queueMs)}/${whole(share.connectMs)}` : "-1/-1";
  const times = `${whole(event.headMs)}/${waits}/${whole(event.responseMs)}/${whole(event.totalMs)}`;
  // A head that was broken off counts as a bad request, also where nobody was left to be told.
  const status = event.method === undefined && event.status < 0 ? emptyStatus(event) : event.status;
  const served = `${status} ${event.bytesToClient} - - ${state(event.termination)}`;
  const backend = event.method === undefined ? lane.frontend : (lane.backend ?? lane.frontend);
  const server = reached ? (lane.server ?? NO_SERVER) : NO_SERVER;
  return `${client(lane)} [${logDate(event.startedAtMs)}] ${frontendName(lane)} ${backend}/${server} ${times} ${served} ${counts(event, reached ? share.retries : 0)} "${requestLine(event)}"`;
}

/** An http lane that ended before any request: HAProxy prints a request that could not be read. */
export function emptyHttpLine(event: LaneEnded): string {
  const { lane } = event;
  const head = `${client(lane)} [${logDate(lane.acceptedAtMs)}] ${frontendName(lane)} ${lane.frontend}/${NO_SERVER}`;
  const served = `${emptyStatus(event)} ${event.bytesToClient} - - ${state(event.termination)}`;
  return `${head} -1/-1/-1/-1/${whole(event.totalMs)} ${served} ${counts(event, 0)} "${BAD_REQUEST}"`;
}

/**
 * `tcplog` (HAProxy manual §8.2.2):
 * `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`
 */
export function tcpLine(event: LaneEnded): string {
  const { lane } = event;
  const server = `${lane.backend ?? lane.frontend}/${lane.server ?? NO_SERVER}`;
  const times = `${queued(lane, lane.queueMs)}/${whole(lane.connectMs)}/${whole(event.totalMs)}`;
  const head = `${client(lane)} [${logDate(lane.acceptedAtMs)}] ${frontendName(lane)} ${server} ${times}`;
  return `${head} ${event.bytesToClient} ${event.termination.slice(0, 2)} ${counts(event, lane.retries)}`;
}

/** What HAProxy prints with neither `httplog` nor `tcplog` (manual §8.2.1). */
export function connectLine(lane: LaneFacts, frontend: Frontend): string {
  const address = frontend.binds[0]?.address;
  const bound = address?.kind === "tcp" ? address : undefined;
  const to = `${lane.localAddress ?? (bound?.host || "*")}:${lane.localPort ?? bound?.port ?? 0}`;
  return `Connect from ${client(lane)} to ${to} (${lane.frontend}/${lane.frontendMode.toUpperCase()})`;
}

/** A TLS handshake that failed: HAProxy's words, and in brackets what is known beyond them. */
export function handshakeLine(event: HandshakeFailed): string {
  const reason = REASONS[event.reason];
  const detail = safe(redactText(event.detail));
  const more = detail === "" || detail === reason.sentence ? "" : ` (${detail})`;
  const who = `${event.clientAddress}:${event.clientPort} [${logDate(event.acceptedAtMs)}]`;
  return `${who} ${event.frontend}/${event.bind}: ${reason.sentence}${more}`;
}

/**
 * A server's change of state. HAProxy adds the sessions that were lost or queued; the gate moves none and queues none,
 * so that sentence is left out.
 */
export function serverLine(event: ServerChanged, server: Server | undefined, httpCheck: boolean): string {
  const word = checkWord(event.reason, server, httpCheck);
  const detail = quoted(event.detail);
  const info = detail === "" ? "" : `, info: "${detail}"`;
  const left = `${event.activeLeft} active and ${event.backupLeft} backup servers ${event.up ? "online" : "left"}.`;
  const change = `Server ${event.backend}/${event.server} is ${event.up ? "UP" : "DOWN"}`;
  return `${change}, reason: ${word}${info}, check duration: ${whole(event.checkMs)}ms. ${left}`;
}

/** Bytes of a request line that are logged at the most (HAProxy `tune.http.logurilen`, its line feed counted). */
export const REQUEST_LINE_CHARACTERS_MAX = 1023;

const NO_SERVER = "<NOSRV>";
const BAD_REQUEST = "<BADREQ>";

/** State `R`: the request was not yet let through, so no server was chosen for it, whatever the lane has ready. */
export function reachedServer(event: RequestEnded): boolean {
  return event.method !== undefined && event.termination.charAt(1) !== "R";
}

/** Method, target and version without secrets, as HAProxy writes them: an absolute URI for HTTP/2. */
function requestLine(event: RequestEnded): string {
  if (event.method === undefined) return BAD_REQUEST;
  const line = `${event.method} ${shownTarget(event)} ${event.version}`;
  return escapeBytes(line.slice(0, REQUEST_LINE_CHARACTERS_MAX), LOGGED_UNSAFE);
}

function shownTarget(event: RequestEnded): string {
  const target = redactTarget(event.target ?? "");
  if (event.version !== "HTTP/2.0" || event.authority === undefined || !target.startsWith("/")) return target;
  return `${event.lane.tls ? "https" : "http"}://${redactTarget(event.authority)}${target}`;
}

/** The status a client saw that sent no request: HAProxy's 400 or 408, even where it was told nothing. */
export function emptyStatus(event: Pick<LaneEnded, "reason" | "termination">): number {
  const reason: Reason | undefined = event.reason === undefined ? undefined : REASONS[event.reason];
  if (reason?.status !== undefined) return reason.status;
  const who = event.termination.charAt(0);
  if (who === "C") return 400;
  return who === "c" ? 408 : -1;
}

function client(lane: LaneFacts): string {
  return `${lane.clientAddress}:${lane.clientPort}`;
}

/** %ft: the frontend, marked where the gate ended TLS. */
function frontendName(lane: LaneFacts): string {
  return lane.tls ? `${lane.frontend}~` : lane.frontend;
}

/** %tsc: the state and the two characters about cookies, of which there are none. */
function state(termination: string): string {
  return termination.padEnd(4, "-");
}

/** `%ac/%fc/%bc/%sc/%rc %sq/%bq`; nothing is ever queued. */
function counts(event: RequestEnded | LaneEnded, retries: number): string {
  const { process, frontend, backend, server } = event.counts;
  return `${process}/${frontend}/${backend}/${server}/${retries} 0/0`;
}

/** %Tw: -1 only where no server was chosen, even if then none could be connected to. */
function queued(lane: LaneFacts, ms: number): number {
  return lane.server === undefined ? -1 : Math.max(0, whole(ms));
}

function whole(ms: number): number {
  return ms < 0 ? -1 : Math.floor(ms);
}

/** HAProxy's words for the result of a check (src/check.c `check_statuses`). */
function checkWord(reason: ReasonCode, server: Server | undefined, httpCheck: boolean): string {
  switch (reason) {
    case "check_passed":
      if (httpCheck) return "Layer7 check passed";
      return server?.check?.tls ? "Layer6 check passed" : "Layer4 check passed";
    case "check_forbidden":
      return "Layer7 check conditionally passed";
    case "check_status":
      return "Layer7 wrong status";
    case "check_timeout":
    case "server_slow":
      if (httpCheck) return "Layer7 timeout";
      return server?.check?.tls ? "Layer6 timeout" : "Layer4 timeout";
    case "dial_timeout":
      return "Layer4 timeout";
    case "server_closed":
    case "server_bad_response":
      return httpCheck ? "Layer7 invalid response" : "Layer6 invalid response";
    case "server_tls_failed":
    case "server_untrusted":
    case "server_wrong_name":
    case "server_no_san":
    case "server_expired":
    case "server_not_yet_valid":
      return "Layer6 invalid response";
    default:
      return "Layer4 connection problem";
  }
}

/** What HAProxy's `url_encode_map` escapes in a request line (src/log.c): so nobody ends a field or a line early. */
const LOGGED_UNSAFE = /[^ !$-~]/gu;

/** In prose only what could end a line or drive a terminal. */
const PROSE_UNSAFE = /[^ -~]/gu;

/** Free text for a line of its own. */
export function safe(text: string): string {
  return escapeBytes(text, PROSE_UNSAFE);
}

/** Free text that stands in double quotes. */
function quoted(text: string): string {
  return safe(redactText(text)).replaceAll('"', "'");
}

/** `#XX` for each byte, as HAProxy; a character beyond Latin-1 counts as its bytes in UTF-8. */
function escapeBytes(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x100) return `#${hex(code)}`;
    return Array.from(Buffer.from(character, "utf8"), (byte) => `#${hex(byte)}`).join("");
  });
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
