import type { Connection } from "../socket/index.ts";

/** After the last byte was written: how long a peer may take to close before it is cut. */
const LINGER_MS = 2_000;
/** A peer that takes nothing of what is still to be written for this long is cut, unless its fin timeout says otherwise. */
const STALL_MS_DEFAULT = 30_000;

/**
 * Closes one leg in order: FIN behind what was written, then time for the peer to read it and close. Bytes that still
 * come are read and forgotten, so that the kernel does not answer them with a reset, which would destroy what the peer
 * has not read yet.
 */
export class Parting {
  readonly #connection: Connection;
  readonly #stallMs: number;
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;
  #pendingBytes = Number.POSITIVE_INFINITY;
  #stalledMs = 0;

  /**
   * @param stallMs  `timeout client-fin` or `server-fin`
   * @param over     called once, when the leg is closed
   */
  constructor(connection: Connection, stallMs: number | undefined, over: () => void) {
    this.#connection = connection;
    this.#stallMs = stallMs ?? STALL_MS_DEFAULT;
    this.#over = over;
    connection.handler = { data() {}, drain() {}, end() {}, closed: () => this.#finish() };
    connection.end();
    connection.resume();
    this.#look();
  }

  /** Without a word to the owner. */
  destroy(): void {
    clearTimeout(this.#timer);
    this.#connection.handler = { data() {}, drain() {}, end() {}, closed() {} };
    this.#connection.destroy();
  }

  /** A slow reader gets all of it, for as long as it reads. */
  #look(): void {
    const { pendingBytes } = this.#connection;
    if (pendingBytes >= this.#pendingBytes) {
      this.#stalledMs += LINGER_MS;
      if (pendingBytes === 0 || this.#stalledMs >= this.#stallMs) {
        this.#finish();
        return;
      }
    } else this.#stalledMs = 0;
    this.#pendingBytes = pendingBytes;
    this.#timer = setTimeout(() => this.#look(), LINGER_MS);
  }

  #finish(): void {
    this.destroy();
    this.#over();
  }
}
