import type { Connection } from "../../socket/connection.ts";

/** One side of the relay: its connection while it lasts, whether it takes bytes, and when it last did something. */
export class Leg {
  connection: Connection | undefined;
  /** It has not yet taken what was written. */
  isBlocked = false;
  /** Of its last byte read or written, or the moment its turn began. */
  activeAt = 0;
  #pendingBytes = 0;

  constructor(connection: Connection | undefined) {
    this.connection = connection;
  }

  /** @returns true when it became blocked by these bytes: the other side must pause. */
  write(bytes: Buffer, nowMs: number): boolean {
    const { connection } = this;
    if (connection === undefined || connection.write(bytes) || this.isBlocked) return false;
    this.isBlocked = true;
    this.activeAt = nowMs;
    this.#pendingBytes = connection.pendingBytes;
    return true;
  }

  drained(nowMs: number): void {
    this.isBlocked = false;
    this.activeAt = nowMs;
  }

  /** A slow reader is not a silent one: that some of the bytes left counts as activity. */
  noteProgress(nowMs: number): void {
    if (!this.isBlocked || this.connection === undefined) return;
    const { pendingBytes } = this.connection;
    if (pendingBytes < this.#pendingBytes) this.activeAt = nowMs;
    this.#pendingBytes = pendingBytes;
  }

  /** Its peer sent FIN or is gone: nothing more is asked there, so a FIN is answered by one. */
  leave(): void {
    this.connection?.end();
    this.replace(undefined);
  }

  /** Another connection stands for this side from now on. */
  replace(connection: Connection | undefined): void {
    this.connection = connection;
    this.isBlocked = false;
  }
}
