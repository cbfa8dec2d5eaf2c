/** For tests of this room: a configuration, events with everything filled in, and streams that keep what they get. */
import type { HandshakeFailed, LaneEnded, LaneFacts, RequestEnded, ServerChanged } from "../events/index.ts";
import type { Backend, Configuration, Frontend, FrontendLog, LogTarget } from "../model/index.ts";
import type { LogStream } from "./stream-sink.ts";

const AT = { file: "test.cfg", line: 1, column: 1 } as const;

export function testFrontend(
  name: string,
  log: Partial<FrontendLog>,
  mode: "http" | "tcp" = "http",
): Frontend {
  return {
    name,
    at: AT,
    mode,
    binds: [
      {
        at: AT,
        written: "127.0.0.1:6443",
        address: { kind: "tcp", host: "127.0.0.1", port: 6443 },
        inspect: "none",
      },
    ],
    routes: [],
    defaultBackend: "b",
    timeouts: {},
    log: { targets: [STDOUT], format: "httplog", dontLogNull: false, ...log },
    forwardFor: true,
    headBytesMax: 65536,
  };
}

export const STDOUT: LogTarget = { kind: "stdout", framing: "raw", facility: "local0", level: "debug" };
export const STDERR: LogTarget = { kind: "stderr", framing: "raw", facility: "local0", level: "debug" };

export function testBackend(name: string): Backend {
  return {
    name,
    at: AT,
    mode: "http",
    balance: "leastconn",
    servers: [
      { name: "s", at: AT, host: "127.0.0.1", port: 6443, weight: 1, backup: false, disabled: false },
    ],
    timeouts: {},
    check: { kind: "connect" },
    retries: 3,
    kubernetes: true,
    forwardFor: true,
  };
}

export function testConfiguration(
  frontends: readonly Frontend[],
  backends: readonly string[] = ["b"],
): Configuration {
  return {
    global: { logTag: "haproxy", debug: true },
    frontends,
    backends: new Map(backends.map((name) => [name, testBackend(name)])),
  };
}

export function testLane(change: Partial<LaneFacts> = {}): LaneFacts {
  return {
    laneId: 1,
    clientAddress: "127.0.0.1",
    clientPort: 41028,
    acceptedAtMs: 1_795_568_613_900,
    frontend: "fe",
    frontendMode: "http",
    tls: false,
    serverName: undefined,
    alpn: undefined,
    backend: "b",
    server: "s",
    queueMs: 0,
    connectMs: 0,
    retries: 0,
    ...change,
  };
}

export function testRequest(change: Partial<RequestEnded> = {}): RequestEnded {
  return {
    kind: "request",
    lane: testLane(),
    startedAtMs: 1_795_568_613_936,
    headMs: 0,
    responseMs: 11,
    totalMs: 11.7,
    status: 200,
    bytesToClient: 106,
    bytesFromClient: 80,
    method: "GET",
    target: "/",
    authority: "127.0.0.1",
    version: "HTTP/1.1",
    userAgent: "curl/7.88.1",
    termination: "----",
    reason: undefined,
    counts: { process: 1, frontend: 1, backend: 0, server: 0 },
    upgraded: false,
    ...change,
  };
}

export function testLaneEnded(change: Partial<LaneEnded> = {}): LaneEnded {
  return {
    kind: "lane",
    lane: testLane({ frontendMode: "tcp", connectMs: 1 }),
    totalMs: 5,
    bytesToClient: 127,
    bytesFromClient: 80,
    termination: "--",
    reason: undefined,
    counts: { process: 1, frontend: 1, backend: 0, server: 0 },
    ...change,
  };
}

export function testHandshake(change: Partial<HandshakeFailed> = {}): HandshakeFailed {
  return {
    kind: "handshake",
    clientAddress: "127.0.0.1",
    clientPort: 41028,
    acceptedAtMs: 1_795_568_613_936,
    frontend: "fe",
    bind: "1",
    serverName: undefined,
    reason: "handshake_failed",
    detail: "",
    silent: false,
    ...change,
  };
}

export function testServerDown(change: Partial<ServerChanged> = {}): ServerChanged {
  return {
    kind: "server",
    backend: "b",
    server: "s",
    up: false,
    reason: "dial_refused",
    detail: "Connection refused",
    checkMs: 0,
    activeLeft: 0,
    backupLeft: 0,
    ...change,
  };
}

/** Keeps what is written; each entry of `writes` is one call. */
export class KeptStream implements LogStream {
  readonly writes: string[] = [];

  write(text: string, done: (error?: Error | null) => void): boolean {
    this.writes.push(text);
    process.nextTick(done);
    return true;
  }

  on(): this {
    return this;
  }

  get text(): string {
    return this.writes.join("");
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}
