import { atMost, type OnProblem, type Sink } from "./sink.ts";

/** What a log needs of a stream; a Node `Writable` is one, and so is standard output. */
export interface LogStream {
  /** @param done  called once the text is with the kernel, or with what went wrong */
  write(text: string, done: (error?: Error | null) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Characters that may wait for a slow reader; what comes beyond is dropped and counted. */
export const PENDING_CHARACTERS_MAX = 1024 * 1024;

/**
 * Lines to a stream: all of one turn of the event loop in one write, one write under way at a time.
 * @param name  how a person knows it: `stdout`
 */
export function createStreamSink(stream: LogStream, name: string, onProblem: OnProblem): Sink {
  return new StreamSink(stream, name, onProblem);
}

class StreamSink implements Sink {
  readonly #stream: LogStream;
  readonly #name: string;
  readonly #onProblem: OnProblem;
  #pending = "";
  #scheduled = false;
  #writing = false;
  #closed = false;
  #failing = false;
  #dropped = 0;
  #waiters: (() => void)[] = [];

  constructor(stream: LogStream, name: string, onProblem: OnProblem) {
    this.#stream = stream;
    this.#name = name;
    this.#onProblem = onProblem;
    hearErrors(stream);
  }

  write(line: string): void {
    if (this.#closed) return;
    if (this.#pending.length + line.length >= PENDING_CHARACTERS_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#pending += `${line}\n`;
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  flush(): Promise<void> {
    if (!this.#writing) this.#send();
    if (!this.#writing) return Promise.resolve();
    return atMost(new Promise((resolve) => this.#waiters.push(resolve)));
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
  }

  #send(): void {
    if (this.#writing) return;
    if (this.#pending === "") {
      for (const waiter of this.#waiters.splice(0)) waiter();
      return;
    }
    const text = this.#pending;
    this.#pending = "";
    this.#writing = true;
    this.#stream.write(text, (error) => {
      this.#writing = false;
      if (error) this.#failed(error);
      else this.#succeeded();
      this.#send();
    });
  }

  #failed(error: Error): void {
    if (this.#failing) return;
    this.#failing = true;
    const code = "code" in error && typeof error.code === "string" ? error.code : error.message;
    this.#onProblem(`the log cannot be written to ${this.#name} (${code}): its lines are lost until it can`);
  }

  #succeeded(): void {
    this.#failing = false;
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#onProblem(`${dropped} log lines for ${this.#name} were dropped: it was not read fast enough`);
  }
}

/** Streams that have a listener of ours already: each reload makes new sinks for the same stdout. */
const heard = new WeakSet<LogStream>();

/** Without a listener a closed pipe (EPIPE) would end the process; what went wrong comes with the write as well. */
function hearErrors(stream: LogStream): void {
  if (heard.has(stream)) return;
  heard.add(stream);
  stream.on("error", () => {});
}
