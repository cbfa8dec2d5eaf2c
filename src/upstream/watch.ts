import { learnProtocols } from "./learn.ts";
import type { Attendant, PoolServer } from "./server.ts";

/** Between looks at a server that cannot be reached: from the first to the longest. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_AGAIN_MS_MAX = 10_000;

/**
 * Looks after a server without `check`. It counts as up whatever happens (HAProxy manual §5.2), except while its name
 * does not resolve: then there is nothing to dial. A probe learns what it speaks: once at the start, and after failures
 * until it succeeds.
 */
export class Watch implements Attendant {
  readonly #server: PoolServer;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #busy = false;
  #failures = 0;

  constructor(server: PoolServer) {
    this.#server = server;
  }

  start(delayMs: number): void {
    this.#running = true;
    this.#schedule(delayMs);
  }

  stop(): void {
    this.#running = false;
    this.#over.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  dialFailed(): void {
    this.#schedule(LOOK_AGAIN_MS);
  }

  protocolsChanged(): void {
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (!this.#running || this.#busy || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    const server = this.#server;
    const startedAt = server.around.now();
    const failure = await learnProtocols(server, this.#over.signal);
    this.#busy = false;
    if (this.#over.signal.aborted) return;
    const tookMs = server.around.now() - startedAt;
    if (failure?.reason === "name_unresolved") server.change(false, failure.reason, failure.detail, tookMs);
    else server.change(true, "check_passed", `the name "${server.host.host}" resolves now`, tookMs);
    if (failure === undefined) {
      server.noteRecovery();
      this.#failures = 0;
      return;
    }
    if (server.up) server.noteFailure(failure);
    this.#failures += 1;
    this.#schedule(Math.min(LOOK_AGAIN_MS * 1.5 ** (this.#failures - 1), LOOK_AGAIN_MS_MAX));
  }
}
