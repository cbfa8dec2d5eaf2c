/** Above this, copying a body to save a write costs more than the write. */
const JOINED_BYTES_MAX = 16_384;

/**
 * What one turn sends to one side, as ranges of buffers. Ranges that touch are one; several are joined into one buffer,
 * so that a head, its added line and the first bytes of its body leave in one write (one TLS record, one system call).
 */
export class Outgoing {
  readonly #bytes: Buffer[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  add(bytes: Buffer, from: number, to: number): void {
    if (from === to) return;
    const last = this.#bytes.length - 1;
    if (last >= 0 && this.#bytes[last] === bytes && this.#to[last] === from) {
      this.#to[last] = to;
      return;
    }
    this.#bytes.push(bytes);
    this.#from.push(from);
    this.#to.push(to);
  }

  /** The next buffer to write; undefined when all was taken. */
  shift(): Buffer | undefined {
    const count = this.#bytes.length;
    if (count === 0) return undefined;
    if (count === 1) {
      const bytes = this.#bytes[0]!;
      const from = this.#from[0]!;
      const to = this.#to[0]!;
      this.clear();
      return from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
    }
    return this.#join(count);
  }

  clear(): void {
    this.#bytes.length = 0;
    this.#from.length = 0;
    this.#to.length = 0;
  }

  #join(count: number): Buffer {
    let size = 0;
    let joined = 0;
    for (; joined < count; joined++) {
      const length = this.#to[joined]! - this.#from[joined]!;
      if (joined > 0 && size + length > JOINED_BYTES_MAX) break;
      size += length;
    }
    const whole = Buffer.allocUnsafe(size);
    let at = 0;
    for (let i = 0; i < joined; i++) {
      at += this.#bytes[i]!.copy(whole, at, this.#from[i]!, this.#to[i]!);
    }
    this.#bytes.splice(0, joined);
    this.#from.splice(0, joined);
    this.#to.splice(0, joined);
    return whole;
  }
}
