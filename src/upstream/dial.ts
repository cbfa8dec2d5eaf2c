import type { Connection } from "../socket/index.ts";
import { type DialFailure, mayPass } from "./failure.ts";
import type { Pool } from "./pool.ts";
import { reach } from "./reach.ts";
import type { PoolServer } from "./server.ts";

export interface DialWant {
  readonly server: PoolServer;
  /** Protocols to offer, best first; those the server's line does not allow are left out. Empty: no ALPN. */
  readonly alpn: readonly string[];
  /** Sent on as SNI where the server's line says so. */
  readonly clientServerName: string | undefined;
  /** The client left: the dial is given up and nothing stays open. */
  readonly gone: AbortSignal;
}

export interface Dialled {
  readonly kind: "dialled";
  /** Verified and paused; its handler must be set before the next event. */
  readonly connection: Connection;
  /** What the server chose; undefined: it does not answer ALPN, or speaks plain text, which means HTTP/1.1. */
  readonly alpn: "h2" | "http/1.1" | undefined;
  /** TCP and TLS. */
  readonly connectMs: number;
  /** The TLS session of an earlier connection went on. */
  readonly resumed: boolean;
}

/** How a lane comes by its upstream connection. A value: warm stock or a reverse tunnel may stand behind it. */
export type Dial = (want: DialWant) => Promise<Dialled | DialFailure>;

/** Connects to the server itself. Never rejects. */
export const dial: Dial = async ({ server, alpn, clientServerName, gone }) => {
  const { now, wallClock, backend } = server.around;
  const startedAt = now();
  const tls = server.tlsWant({ alpn, clientServerName, resume: true });
  const outcome = await reach({
    host: server.host,
    port: server.server.port,
    tls,
    limitMs: backend.timeouts.connectMs,
    gone,
    wallClock,
    up: server.up,
  });
  if (outcome.kind === "failed") {
    server.dialFailed(outcome);
    return outcome;
  }
  server.dialWorked(tls?.alpn ?? [], outcome.alpn);
  return {
    kind: "dialled",
    connection: outcome.connection,
    alpn: outcome.alpn === "h2" || outcome.alpn === "http/1.1" ? outcome.alpn : undefined,
    connectMs: Math.round(now() - startedAt),
    resumed: outcome.resumed,
  };
};

export interface RetryWant extends Omit<DialWant, "server"> {
  /** The server already picked. */
  readonly first: PoolServer;
  readonly clientAddress: string;
}

/** The outcome, the last server tried, and how many tries came after the first. */
export type RetriedDial = (Dialled | DialFailure) & { readonly server: PoolServer; readonly retries: number };

/** HAProxy waits this long, or `timeout connect` if less, before it repeats at the same server (manual §4.2 `retries`). */
const SAME_SERVER_WAIT_MS = 1_000;

/**
 * Dials until a server is reached or the backend's `retries` are used up. Another server is tried at once; the same one
 * only after a wait, and only where the failure may pass. While it runs, the dial counts as load of its server; a lane
 * that comes of it must `acquire` the server.
 */
export async function dialWithRetries(
  pool: Pool,
  want: RetryWant,
  dialOnce: Dial = dial,
): Promise<RetriedDial> {
  const { alpn, clientServerName, clientAddress, gone } = want;
  const tried = new Set<PoolServer>();
  let server = want.first;
  for (let retries = 0; ; retries++) {
    const outcome = await counted(server, () => dialOnce({ server, alpn, clientServerName, gone }));
    tried.add(server);
    const settled = { ...outcome, server, retries };
    if (outcome.kind === "dialled" || outcome.retry === "never" || gone.aborted) return settled;
    if (retries >= pool.backend.retries) return settled;
    const following = pool.pick({ clientAddress, avoid: tried }) ?? (await sameServer(pool, want, outcome));
    if (following === undefined || gone.aborted) return settled;
    server = following;
  }
}

async function counted<T>(server: PoolServer, work: () => Promise<T>): Promise<T> {
  server.countDials(1);
  try {
    return await work();
  } finally {
    server.countDials(-1);
  }
}

/** All were tried: after a wait, whichever is up. */
async function sameServer(
  pool: Pool,
  want: RetryWant,
  failure: DialFailure,
): Promise<PoolServer | undefined> {
  if (!mayPass(failure)) return undefined;
  const waitMs = Math.min(pool.backend.timeouts.connectMs ?? SAME_SERVER_WAIT_MS, SAME_SERVER_WAIT_MS);
  await pause(waitMs, want.gone);
  return pool.pick({ clientAddress: want.clientAddress });
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone.addEventListener("abort", done, { once: true });
  });
}
