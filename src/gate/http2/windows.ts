import { read31, WINDOW_DEFAULT } from "../../wire/http2/index.ts";

/**
 * The client's connection window, as far as the gate's own DATA has to do with it.
 *
 * Flow control is end to end: the server counts what it sends against what the client grants. A local answer uses up some
 * of the client's window that the server does not know of. What was used becomes a debt, and the next WINDOW_UPDATEs of
 * the client pay it: they go on with that much less. Until then the server believes it has more room than there is; should
 * it really come to use that, what exceeds the room waits behind a dam until the client grants more. Clients of Kubernetes
 * grant a gigabyte (Go) or megabytes, so the dam is for the others.
 */
export class ClientWindow {
  /** What the client still takes; below zero: as much waits behind the dam. */
  #room = WINDOW_DEFAULT;
  #debt = 0;

  get isOverdrawn(): boolean {
    return this.#room < 0;
  }

  /** DATA of the server passes. @returns how much of it the client takes now */
  use(bytes: number): number {
    const room = this.#room;
    this.#room -= bytes;
    // Without a debt the server knows the client's window as well as we do; what it makes of that is between the two.
    return this.#debt === 0 || room >= bytes ? bytes : Math.max(0, room);
  }

  /** DATA of the gate's own wants to go out. @returns whether there is room for it */
  borrow(bytes: number): boolean {
    if (bytes > this.#room) return false;
    this.#room -= bytes;
    this.#debt += bytes;
    return true;
  }

  /**
   * The client grants more; what pays the debt is taken out of the frame.
   * @param at  where the increment stands
   * @returns   whether something is left to go on
   */
  grant(bytes: Buffer, at: number): boolean {
    const increment = read31(bytes, at);
    this.#room += increment;
    if (this.#debt === 0) return true;
    const paid = Math.min(this.#debt, increment);
    this.#debt -= paid;
    bytes.writeUInt32BE(increment - paid, at);
    return paid < increment;
  }
}
