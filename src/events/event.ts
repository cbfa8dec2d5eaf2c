import type { ReasonCode } from "./reasons.ts";

/** What the gate tells while it works. Readers (logs, metrics) take it as it is; nobody writes back. */
export type GateEvent =
  | RequestEnded
  | LaneEnded
  | HandshakeFailed
  | ServerChanged
  | ServerNoted
  | HeadSeen
  | Notice;

/** Takes every event at once, in the order it happened; must not throw. */
export type Tell = (event: GateEvent) => void;

/** Who and where: the same object for all events of a lane. */
export interface LaneFacts {
  readonly laneId: number;
  readonly clientAddress: string;
  readonly clientPort: number;
  /** Wall clock of the accept, ms since 1970. */
  readonly acceptedAtMs: number;
  readonly frontend: string;
  readonly frontendMode: "http" | "tcp";
  /** The gate ended the client's TLS. */
  readonly tls: boolean;
  /** The address the client connected to, where it is known. */
  readonly localAddress?: string;
  readonly localPort?: number;
  // Learnt while the lane opens.
  /** `TLSv1.3`. */
  tlsVersion?: string | undefined;
  serverName: string | undefined;
  alpn: "h2" | "http/1.1" | undefined;
  /** Undefined: no route matched. */
  backend: string | undefined;
  /** Undefined: none could be chosen (`<NOSRV>`). */
  server: string | undefined;
  /** ms spent waiting for a place, and connecting (TCP and TLS); -1: not reached. HAProxy's %Tw, %Tc. */
  queueMs: number;
  connectMs: number;
  retries: number;
}

/** HAProxy's %ac/%fc/%bc/%sc at the moment of the event. */
export interface ConnectionCounts {
  readonly process: number;
  readonly frontend: number;
  readonly backend: number;
  readonly server: number;
}

/** One per request, when its answer is complete or it was given up (HAProxy manual §8.2.3, `httplog`). */
export interface RequestEnded {
  readonly kind: "request";
  readonly lane: LaneFacts;
  /** Wall clock of the request's first byte (%tr), ms since 1970. */
  readonly startedAtMs: number;
  /** ms from the first byte to the whole head (%TR), to the response head after the request went out (%Tr), in all (%Ta); -1: not reached. */
  readonly headMs: number;
  readonly responseMs: number;
  readonly totalMs: number;
  /** The status the client saw; -1: none. */
  readonly status: number;
  readonly bytesToClient: number;
  readonly bytesFromClient: number;
  /** Undefined: the head could not be read (`<BADREQ>`). Never yet redacted: a reader must use `redactTarget`. */
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly authority: string | undefined;
  readonly version: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0";
  readonly userAgent: string | undefined;
  /** `----`, `PR--`, `sH--` …: HAProxy manual §8.5. */
  readonly termination: string;
  readonly reason: ReasonCode | undefined;
  readonly counts: ConnectionCounts;
  /** A tunnel followed the answer (101). */
  readonly upgraded: boolean;
}

/** One per lane of mode tcp, per passthrough lane, and per http lane that ended before any request (HAProxy `tcplog`). */
export interface LaneEnded {
  readonly kind: "lane";
  readonly lane: LaneFacts;
  readonly totalMs: number;
  readonly bytesToClient: number;
  readonly bytesFromClient: number;
  /** Two characters: `--`, `cD`, `SC` … */
  readonly termination: string;
  readonly reason: ReasonCode | undefined;
  readonly counts: ConnectionCounts;
}

/** The client's TLS handshake did not come to an end. */
export interface HandshakeFailed {
  readonly kind: "handshake";
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly acceptedAtMs: number;
  readonly frontend: string;
  /** The bind's name, or its number from 1. */
  readonly bind: string;
  readonly serverName: string | undefined;
  readonly reason: ReasonCode;
  readonly detail: string;
  /** Nothing at all was received (a port probe): `dontlognull` leaves it out. */
  readonly silent: boolean;
}

/** A server came up or went down. */
export interface ServerChanged {
  readonly kind: "server";
  readonly backend: string;
  readonly server: string;
  readonly up: boolean;
  readonly reason: ReasonCode;
  /** A sentence a person can act on, with addresses and certificate names. */
  readonly detail: string;
  readonly checkMs: number;
  readonly activeLeft: number;
  readonly backupLeft: number;
}

/** Something about a server that does not change its state: alive but 401, or a dial that failed. */
export interface ServerNoted {
  readonly kind: "server-note";
  readonly backend: string;
  readonly server: string;
  readonly reason: ReasonCode;
  readonly detail: string;
}

/** A request head as it passes, told only where `debug` is set. Header values that are secrets are already gone. */
export interface HeadSeen {
  readonly kind: "head";
  readonly lane: LaneFacts;
  readonly lines: readonly string[];
}

/** Of the process: started, listening, reloaded, stopping. */
export interface Notice {
  readonly kind: "notice";
  readonly level: "notice" | "warning" | "alert";
  readonly text: string;
  /** Where in the code, for a fault of the gate itself. */
  readonly stack?: string | undefined;
}
