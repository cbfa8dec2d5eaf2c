import assert from "node:assert/strict";
import type { RequestEnded } from "../../events/index.ts";
import type { Relay, RelayContext, RelayTimeouts } from "../relay.ts";
import { type FakeConnection, FakeLane } from "../testing.ts";
import { createHttp1Relay } from "./relay.ts";

export const GET = "GET /api/v1/pods HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: kubectl/v1.35\r\n\r\n";
export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
export const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
export const TIMEOUTS: RelayTimeouts = {
  clientMs: 500,
  serverMs: 400,
  httpRequestMs: 100,
  httpKeepAliveMs: 200,
  tunnelMs: undefined,
  clientFinMs: 50,
  serverFinMs: undefined,
};

export interface Scene {
  readonly lane: FakeLane;
  readonly relay: Relay;
  /** The client, then the server, say something. */
  client(text: string): void;
  server(text: string): void;
  /** What was told of requests, in short: `200 ---- GET /`. */
  readonly told: readonly string[];
  readonly ended: readonly RequestEnded[];
}

export function scene(options: Partial<RelayContext> = {}): Scene {
  const lane = new FakeLane(options);
  if ("server" in options && options.server === undefined) lane.server = undefined;
  const relay = createHttp1Relay(lane);
  const ended = () => lane.events.filter((event) => event.kind === "request");
  return {
    lane,
    relay,
    client: (text) => relay.clientData(Buffer.from(text, "latin1")),
    server: (text) => relay.serverData(Buffer.from(text, "latin1")),
    get ended() {
      return ended();
    },
    get told() {
      return ended().map(
        (event) =>
          `${event.status} ${event.termination} ${event.method ?? "-"} ${event.target ?? "-"}${event.upgraded ? " upgraded" : ""}`,
      );
    },
  };
}

export function serverOf(lane: FakeLane): FakeConnection {
  assert.ok(lane.server);
  return lane.server;
}

/** Lets a redial come to its end. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
