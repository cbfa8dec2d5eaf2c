/** What a client may send ahead of its turn: it is paused at once, so only what was under way comes. */
const HELD_BYTES_MAX = 262_144;

/** Bytes of the client that cannot go to the server yet, or may have to go once more. */
export class Postponed {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #unsent: Buffer[] = [];
  /** The pieces of a request that may go out once more; empty: it may not. */
  #repeatable: Buffer[] = [];
  #wasRepeated = false;

  /** Of the next request, or behind one that waits for a server. */
  get hasHeld(): boolean {
    return this.#held.length > 0;
  }

  /** @returns false when it is more than a client that was paused can send. */
  hold(chunk: Buffer): boolean {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    return this.#heldBytes <= HELD_BYTES_MAX;
  }

  takeHeld(): Buffer | undefined {
    const held = this.#held.length > 1 ? Buffer.concat(this.#held) : this.#held[0];
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }

  /** Edited already, and waiting for a server. */
  keepUnsent(bytes: Buffer): void {
    this.#unsent.push(bytes);
  }

  takeUnsent(): readonly Buffer[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    return unsent;
  }

  /** The request may go to a server once more: GET or HEAD, no body, no byte of an answer, not repeated yet. */
  get isRepeatable(): boolean {
    return this.#repeatable.length > 0 && !this.#wasRepeated;
  }

  /** A piece of a request as it was sent; all of them must be. */
  remember(piece: Buffer): void {
    this.#repeatable.push(piece);
  }

  /** The server spoke: nothing of this request may be sent again. */
  forget(): void {
    if (this.#repeatable.length > 0) this.#repeatable = [];
  }

  repeat(): void {
    this.#unsent.push(...this.#repeatable);
    this.#wasRepeated = true;
  }

  beginRequest(): void {
    this.forget();
    this.#wasRepeated = false;
  }

  clear(): void {
    this.takeHeld();
    this.takeUnsent();
    this.forget();
  }
}
