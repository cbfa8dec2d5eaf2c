import type { Connection } from "../../socket/connection.ts";

/** Answers of the gate's own that a client may leave unread and still be given another. */
const UNREAD_BYTES_MAX = 16_384;

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

  /** It asks and does not read: where no server's pace slows it down, it must not be given more. */
  get isBehind(): boolean {
    return this.connection !== undefined && this.connection.pendingBytes > UNREAD_BYTES_MAX;
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
