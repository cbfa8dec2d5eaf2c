import type { LaneFacts } from "../events/index.ts";
import type { Ask } from "./guard.ts";

/** For tests: a request on a lane to backend `a`, over TLS. */
export function testAsk(change: Partial<Ask>, lane: Partial<LaneFacts> = {}): Ask {
  return {
    method: "GET",
    target: "/api",
    authority: "a.example.com",
    lane: {
      laneId: 1,
      clientAddress: "127.0.0.1",
      clientPort: 40000,
      acceptedAtMs: 0,
      frontend: "fe",
      frontendMode: "http",
      tls: true,
      serverName: "a.example.com",
      alpn: "h2",
      backend: "a",
      server: "s",
      queueMs: 0,
      connectMs: 0,
      retries: 0,
      ...lane,
    },
    ...change,
  };
}
