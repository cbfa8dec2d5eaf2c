/**
 * One open socket of either leg, raw or TLS, as the gate sees it. The only interface through which bytes leave or reach
 * the process's sockets; an implementation exists for each runtime.
 */
export interface Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Set once by the owner before it returns to the event loop; may be replaced (a lane hands over to a tunnel). */
  handler: ConnectionHandler;
  /**
   * Takes the chunk whole, in order. The connection may keep the buffer until it is sent: never write into it again.
   * @returns false when the other side should be paused until `drain`.
   */
  write(chunk: Buffer): boolean;
  /** Bytes taken by `write` and not yet given to the kernel. */
  readonly pendingBytes: number;
  pause(): void;
  resume(): void;
  /** FIN (and close_notify) after all that was written; the other direction stays open. */
  end(): void;
  /** At once, both directions; what was written is tried, not waited for. `closed` still comes. Safe to call again. */
  destroy(): void;
  readonly destroyed: boolean;
}

/** What a connection tells its owner. `closed` comes exactly once, last. */
export interface ConnectionHandler {
  /** The chunk may be kept. */
  data(chunk: Buffer): void;
  /** After `write` returned false: there is room again. */
  drain(): void;
  /** The peer sent FIN; writing is still possible. */
  end(): void;
  /** @param code  errno-like (`ECONNRESET`, `ETIMEDOUT`, an OpenSSL code) when it did not close in order. */
  closed(code: string | undefined): void;
}

/** For a connection whose owner has nothing to do with it yet, or any more. */
export const IGNORE: ConnectionHandler = { data() {}, drain() {}, end() {}, closed() {} };

/** What TLS settled; on a connection that speaks it. */
export interface TlsFacts {
  readonly alpn: string | undefined;
  readonly protocol: string;
  readonly cipher: string;
  readonly resumed: boolean;
}
