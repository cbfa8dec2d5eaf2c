import type { Connection, ConnectionHandler } from "../socket/index.ts";

/**
 * Stands on a paused leg until its relay does. What the peer does meanwhile is kept: a FIN with nothing before it, or a
 * reset, is told by the socket even while it is paused, and only once.
 */
export class Waiting implements ConnectionHandler {
  readonly #left: (how: "end" | "closed") => void;
  #ended = false;
  #closed: { readonly code: string | undefined } | undefined;

  /** @param left  called when the peer leaves before the relay stands */
  constructor(left: (how: "end" | "closed") => void = () => {}) {
    this.#left = left;
  }

  data(): void {}

  drain(): void {}

  end(): void {
    this.#ended = true;
    this.#left("end");
  }

  closed(code: string | undefined): void {
    this.#closed = { code };
    this.#left("closed");
  }

  /** The peer sent FIN or is gone altogether. */
  get isLeft(): boolean {
    return this.#ended || this.#closed !== undefined;
  }

  /** Puts `handler` in place of this one and tells it what happened before, as if it happened now. */
  handOver(connection: Connection, handler: ConnectionHandler): void {
    connection.handler = handler;
    if (this.#closed !== undefined) handler.closed(this.#closed.code);
    else if (this.#ended) handler.end();
  }
}
