/** One request on its way, from its head to the end of both directions. Records are used again for later streams. */
export class Stream {
  id = 0;
  method = "";
  target = "";
  authority: string | undefined;
  userAgent: string | undefined;
  /** Wall clock of its first byte; the other times are `context.now()` in whole ms, -1: not reached. */
  startedAtMs = 0;
  startedAt = 0;
  /** How long its head took to come. */
  headMs = 0;
  forwardedAt = -1;
  answeredAt = -1;
  /** The last frame of either direction that carried something. */
  activeAt = 0;
  status = -1;
  bytesToClient = 0;
  bytesFromClient = 0;
  /** What Content-Length promised; -1: nothing. */
  bodyBytesDue = -1;
  bodyBytes = 0;
  /** The client has said END_STREAM, the server has. */
  clientDone = false;
  serverDone = false;
}

/** Whether Content-Length and the sum of DATA still agree (RFC 9113 §8.1.1). @param ends  no more DATA will come */
export function lengthHolds({ bodyBytes, bodyBytesDue }: Stream, ends: boolean): boolean {
  return bodyBytesDue < 0 || (ends ? bodyBytes === bodyBytesDue : bodyBytes <= bodyBytesDue);
}

/** Ids of streams that ended here but not yet, for all we know, on the peer's side. */
const ENDED_HERE_MAX = 1_024;

/** The open streams of a lane, and those of which frames may still come that must not go on. */
export class Streams {
  /** The highest id that the client has used. */
  lastId = 0;
  readonly #open = new Map<number, Stream>();
  readonly #spare: Stream[] = [];
  readonly #endedHere = new Set<number>();

  get size(): number {
    return this.#open.size;
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  all(): IterableIterator<Stream> {
    return this.#open.values();
  }

  open(id: number): Stream {
    const stream = this.#spare.pop() ?? new Stream();
    stream.id = id;
    this.#open.set(id, stream);
    return stream;
  }

  /** The record must not be used any more. */
  close(stream: Stream): void {
    if (!this.#open.delete(stream.id)) return;
    stream.forwardedAt = -1;
    stream.answeredAt = -1;
    stream.status = -1;
    stream.bytesToClient = 0;
    stream.bytesFromClient = 0;
    stream.bodyBytesDue = -1;
    stream.bodyBytes = 0;
    stream.clientDone = false;
    stream.serverDone = false;
    this.#spare.push(stream);
  }

  /** Later frames of this stream are swallowed, whoever sends them. */
  endHere(id: number): void {
    this.#endedHere.add(id);
    if (this.#endedHere.size <= ENDED_HERE_MAX) return;
    // The oldest goes: what its peer had in flight has long come.
    for (const oldest of this.#endedHere) {
      this.#endedHere.delete(oldest);
      return;
    }
  }

  isEndedHere(id: number): boolean {
    return this.#endedHere.size > 0 && this.#endedHere.has(id);
  }
}
