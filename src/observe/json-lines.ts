import {
  type HandshakeFailed,
  type LaneEnded,
  type LaneFacts,
  type Notice,
  REASONS,
  type ReasonCode,
  type RequestEnded,
  type ServerChanged,
  type ServerNoted,
} from "../events/index.ts";
import { redactTarget, redactText, requestInfo } from "../kubernetes/index.ts";
import { isoDate } from "./dates.ts";
import { type ConnectShare, emptyStatus, reachedServer } from "./haproxy-lines.ts";

/** Characters of a path, and of any other text a client chose, that are logged at the most. */
export const PATH_CHARACTERS_MAX = 4096;
export const TEXT_CHARACTERS_MAX = 256;

/** A request, one object: docs/logs.md lists the fields. What is unknown is left out; numbers are numbers. */
export function requestJson(event: RequestEnded, share: ConnectShare): string {
  const { lane, method } = event;
  const target = event.target === undefined ? undefined : redactTarget(event.target);
  const reached = reachedServer(event);
  return line({
    time: isoDate(event.startedAtMs),
    event: "request",
    ...from(lane),
    ...to(lane, reached),
    protocol: event.version,
    method: method === undefined ? undefined : short(method),
    authority: event.authority === undefined ? undefined : short(redactTarget(event.authority)),
    path: target?.slice(0, PATH_CHARACTERS_MAX),
    ...(method !== undefined && target !== undefined && kubernetesFields(method, target)),
    status: known(event.status),
    bytesToClient: event.bytesToClient,
    bytesFromClient: event.bytesFromClient,
    headMs: known(event.headMs),
    queueMs: reached ? known(share.queueMs) : undefined,
    connectMs: reached ? known(share.connectMs) : undefined,
    responseMs: known(event.responseMs),
    totalMs: known(event.totalMs),
    retries: share.retries,
    upgraded: event.upgraded,
    ...ending(event.termination, event.reason),
    userAgent: event.userAgent === undefined ? undefined : short(redactText(event.userAgent)),
  });
}

export function laneJson(event: LaneEnded): string {
  const { lane } = event;
  return line({
    time: isoDate(lane.acceptedAtMs),
    event: "connection",
    ...from(lane),
    ...to(lane, true),
    status: lane.frontendMode === "http" ? known(emptyStatus(event)) : undefined,
    bytesToClient: event.bytesToClient,
    bytesFromClient: event.bytesFromClient,
    queueMs: known(lane.queueMs),
    connectMs: known(lane.connectMs),
    totalMs: known(event.totalMs),
    retries: lane.retries,
    ...ending(event.termination, event.reason),
  });
}

export function handshakeJson(event: HandshakeFailed): string {
  return line({
    time: isoDate(event.acceptedAtMs),
    event: "handshake",
    client: event.clientAddress,
    clientPort: event.clientPort,
    frontend: event.frontend,
    bind: event.bind,
    serverName: event.serverName === undefined ? undefined : short(redactText(event.serverName)),
    ...ending(REASONS[event.reason].termination, event.reason),
    detail: redactText(event.detail),
  });
}

export function serverJson(event: ServerChanged, nowMs: number): string {
  return line({
    time: isoDate(nowMs),
    event: "server",
    cluster: event.backend,
    backend: event.backend,
    server: event.server,
    state: event.up ? "up" : "down",
    reason: REASONS[event.reason].label,
    detail: redactText(event.detail),
    checkMs: known(event.checkMs),
    activeLeft: event.activeLeft,
    backupLeft: event.backupLeft,
  });
}

export function serverNoteJson(event: ServerNoted, nowMs: number): string {
  return line({
    time: isoDate(nowMs),
    event: "server-note",
    cluster: event.backend,
    backend: event.backend,
    server: event.server,
    reason: REASONS[event.reason].label,
    detail: redactText(event.detail),
  });
}

export function noticeJson(event: Notice, nowMs: number): string {
  return line({ time: isoDate(nowMs), event: "notice", level: event.level, text: redactText(event.text) });
}

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

function from(lane: LaneFacts): Fields {
  return {
    client: lane.clientAddress,
    clientPort: lane.clientPort,
    lane: lane.laneId,
    tls: lane.tls,
    tlsVersion: lane.tlsVersion,
    alpn: lane.alpn,
    serverName: lane.serverName === undefined ? undefined : short(redactText(lane.serverName)),
    frontend: lane.frontend,
  };
}

function to(lane: LaneFacts, reached: boolean): Fields {
  return { cluster: lane.backend, backend: lane.backend, server: reached ? lane.server : undefined };
}

/** From the target without its secrets: a token put where a name belongs must not come back as the name. */
function kubernetesFields(method: string, target: string): Fields {
  const info = requestInfo(method, target);
  if (!info.isResourceRequest) return { verb: short(info.verb) };
  return {
    verb: info.verb || undefined,
    apiGroup: given(info.apiGroup),
    apiVersion: given(info.apiVersion),
    resource: given(info.resource),
    subresource: given(info.subresource),
    namespace: given(info.namespace),
    name: given(info.name),
  };
}

function ending(termination: string, reason: ReasonCode | undefined): Fields {
  if (reason === undefined) return { termination };
  const { label, sentence } = REASONS[reason];
  return { termination, reason: label, sentence };
}

function known(value: number): number | undefined {
  return value < 0 ? undefined : Math.floor(value);
}

function given(text: string): string | undefined {
  return text === "" ? undefined : redactText(short(text));
}

function short(text: string): string {
  return text.slice(0, TEXT_CHARACTERS_MAX);
}

/** JSON leaves DEL, C1 controls and line separators as they are: a terminal or a line reader might obey them. */
function line(fields: Fields): string {
  return JSON.stringify(fields).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
