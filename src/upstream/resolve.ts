import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** Host name → its IP addresses, best first. Rejects with a code (ENOTFOUND, EAI_AGAIN) when there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** What the machine's resolver says: /etc/hosts, DNS, in getaddrinfo's order (RFC 6724). */
export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map((found) => found.address);

/** After a dial to known addresses failed: how old they must be to be asked for again, while up and while down. */
const STALE_UP_MS = 30_000;
const STALE_DOWN_MS = 5_000;
/** A name that did not resolve is not asked for more often than this. */
const LOOK_AGAIN_MS = 2_000;

/**
 * The addresses of one host: looked up when first needed, kept while they work, asked for again when a dial fails.
 * HAProxy resolves once, at start, and does not start when that fails (manual §5.2 `init-addr`); here a name may move
 * and may come to exist.
 */
export class HostAddresses {
  readonly host: string;
  readonly #lookup: Lookup;
  readonly #now: () => number;
  #known: readonly string[] = [];
  #failure: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #pending: Promise<void> | undefined;

  /** @param now  monotonic, ms */
  constructor(host: string, lookup: Lookup, now: () => number) {
    this.host = host;
    this.#lookup = lookup;
    this.#now = now;
    if (isIP(host) !== 0) this.#known = [host];
  }

  get literal(): boolean {
    return isIP(this.host) !== 0;
  }

  /** Why the last lookup gave nothing (`ENOTFOUND`); undefined: addresses are known, or none was made yet. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Known addresses, or what a lookup finds; empty when the name does not resolve. Never rejects. */
  async addresses(): Promise<readonly string[]> {
    if (this.#known.length > 0) return this.#known;
    if (this.#pending === undefined && this.#now() - this.#lookedAt < LOOK_AGAIN_MS) return [];
    await this.#look();
    return this.#known;
  }

  /** The address that answered goes first next time, so that a dead one before it costs nothing. */
  worked(address: string): void {
    if (this.#known[0] === address || !this.#known.includes(address)) return;
    this.#known = [address, ...this.#known.filter((other) => other !== address)];
  }

  /** A dial to the known addresses failed: perhaps the name has moved. */
  failed(up: boolean): void {
    if (this.literal) return;
    const staleMs = up ? STALE_UP_MS : STALE_DOWN_MS;
    if (this.#known.length > 0 && this.#now() - this.#lookedAt >= staleMs) void this.#look();
  }

  #look(): Promise<void> {
    // One at a time: a resolver that hangs holds one thread of the pool, not all of them.
    this.#pending ??= this.#ask().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(): Promise<void> {
    this.#lookedAt = this.#now();
    try {
      const found = await this.#lookup(this.host);
      if (found.length > 0) this.#known = found;
      this.#failure = this.#known.length > 0 ? undefined : "ENODATA";
    } catch (error) {
      // Old addresses are better than none while the resolver is out of order.
      if (this.#known.length === 0) this.#failure = errorCode(error);
    }
  }
}

/** `ECONNREFUSED`, `ERR_SSL_…`; for an error without a code, its message. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
