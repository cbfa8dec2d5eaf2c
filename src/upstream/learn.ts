import type { DialFailure } from "./failure.ts";
import { reach } from "./reach.ts";
import type { PoolServer } from "./server.ts";

/** For a probe of its own, where `timeout connect` is not set. */
const PROBE_MS_MAX = 10_000;

/**
 * Learns what a server speaks by handshakes of its own, so that a lane can answer its client's ALPN before it dials.
 * One that prefers h2 is asked a second time, for HTTP/1.1 alone, as kubectl's exec and port-forward will.
 * Never rejects.
 * @returns why it could not be reached; undefined: it was
 */
export async function learnProtocols(
  server: PoolServer,
  gone: AbortSignal,
): Promise<DialFailure | undefined> {
  const allowed = server.server.tls?.alpn ?? [];
  const first = await shakeHands(server, allowed, gone);
  if (first.kind === "failed") return first;
  if (server.server.tls === undefined) return undefined;
  if (first.alpn !== "h2") {
    server.learnt(["http/1.1"]);
    return undefined;
  }
  server.learnt(["h2", "http/1.1"].filter((protocol) => allowed.includes(protocol)));
  if (!allowed.includes("http/1.1")) return undefined;
  const second = await shakeHands(server, ["http/1.1"], gone);
  // RFC 7301 §3.2: a server that has nothing in common says so by an alert. Any other failure is no answer.
  const refused = second.kind === "failed" && second.code?.includes("NO_APPLICATION_PROTOCOL");
  if (refused || (second.kind === "reached" && second.alpn === "h2")) server.learnt(["h2"]);
  return undefined;
}

async function shakeHands(server: PoolServer, alpn: readonly string[], gone: AbortSignal) {
  const clientServerName = server.server.check?.sni;
  const outcome = await reach({
    host: server.host,
    port: server.server.port,
    tls: server.tlsWant({ alpn, clientServerName, resume: false }),
    limitMs: server.around.backend.timeouts.connectMs ?? PROBE_MS_MAX,
    gone,
    wallClock: server.around.wallClock,
    up: server.up,
  });
  if (outcome.kind === "reached") outcome.connection.destroy();
  return outcome;
}
