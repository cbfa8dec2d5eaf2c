import type { Trusted, VerifyPolicy } from "./verify.ts";

/** A TLS session to resume, with the verdict of the full handshake it descends from. */
export interface Ticket {
  readonly session: Buffer;
  readonly verdict: Trusted;
  /** Wall clock of that full handshake. */
  readonly judgedAtMs: number;
}

/** A full handshake, and with it the whole verification, is made again at least this often. */
const JUDGED_MS_MAX = 60 * 60 * 1000;
/** Per server. More are only asked for where the client's own server name is sent on. */
const TICKETS_MAX = 16;

interface Kept {
  readonly ticket: Ticket;
  readonly policy: VerifyPolicy;
}

/**
 * The latest TLS session of each kind of dial to one server.
 *
 * In a resumed handshake the server shows no certificate, and OpenSSL repeats the stored verdict on the chain. So a
 * session is kept only once its certificate was judged good, is found again only for the very same policy (trust, name
 * to verify, server name sent, protocols offered), and never outlives the certificates it was judged by.
 */
export class Tickets {
  readonly #kept = new Map<string, Kept>();

  /** @param nowMs  wall clock */
  find(kind: TicketKind, policy: VerifyPolicy, nowMs: number): Ticket | undefined {
    const key = keyOf(kind, policy);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (!samePolicy(kept.policy, policy) || !isFresh(kept.ticket, nowMs)) {
      this.#kept.delete(key);
      return undefined;
    }
    return kept.ticket;
  }

  keep(kind: TicketKind, policy: VerifyPolicy, ticket: Ticket): void {
    const key = keyOf(kind, policy);
    this.#kept.delete(key);
    this.#kept.set(key, { ticket, policy });
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > TICKETS_MAX && oldest.done === false) this.#kept.delete(oldest.value);
  }

  get size(): number {
    return this.#kept.size;
  }
}

export interface TicketKind {
  /** Sent as SNI. */
  readonly servername: string | undefined;
  readonly alpn: readonly string[];
}

function keyOf(kind: TicketKind, policy: VerifyPolicy): string {
  return JSON.stringify([kind.servername, policy.name, kind.alpn]);
}

function samePolicy(a: VerifyPolicy, b: VerifyPolicy): boolean {
  return a.trust.context === b.trust.context && a.trust.verify === b.trust.verify && a.name === b.name;
}

function isFresh({ verdict, judgedAtMs }: Ticket, nowMs: number): boolean {
  const age = nowMs - judgedAtMs;
  return age >= 0 && age < JUDGED_MS_MAX && nowMs >= verdict.validFromMs && nowMs < verdict.validUntilMs;
}
