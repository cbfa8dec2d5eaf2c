import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { atMost, type OnProblem, type Sink } from "./sink.ts";

/** Datagrams that may wait for the name to resolve, or for the kernel; what comes beyond is dropped and counted. */
export const PENDING_DATAGRAMS_MAX = 1000;

/** After a name did not resolve, how long until it is asked again. */
const RETRY_MS = 30_000;

/** After an error lines are lost for so long before one is tried again: a refused datagram costs three times a sent one. */
export const REST_MS = 1000;

/** Without an error for so long, the lost lines are over and can be counted. */
const CALM_MS = 5000;

/** A syslog that was silent about errors for so long is considered well again: the next error is told. */
const QUIET_MS = 60_000;

export interface DatagramTarget {
  readonly host: string;
  readonly port: number;
  /** Bytes of a line without its line feed; longer ones are cut (HAProxy `log … len`). */
  readonly lengthMax: number;
}

/** Lines to a syslog over UDP, a datagram each. One that is away costs its lines and one sentence, nothing else. */
export function createDatagramSink(target: DatagramTarget, onProblem: OnProblem): Sink {
  return new DatagramSink(target, onProblem);
}

class DatagramSink implements Sink {
  readonly #target: DatagramTarget;
  readonly #onProblem: OnProblem;
  #socket: Socket | undefined;
  #state: "new" | "connecting" | "open" | "failed" | "closed" = "new";
  #retryAtMs = 0;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  /** Lines that came before the socket was there. */
  #waiting: Buffer[] = [];
  #sending = 0;
  #dropped = 0;
  #idle: (() => void)[] = [];

  constructor(target: DatagramTarget, onProblem: OnProblem) {
    this.#target = target;
    this.#onProblem = onProblem;
  }

  write(line: string): void {
    if (this.#state === "closed") return;
    if (this.#state === "failed" && Date.now() >= this.#retryAtMs) this.#state = "new";
    const resting = this.#state === "failed" || Date.now() < this.#failedAtMs + REST_MS;
    if (resting || this.#waiting.length + this.#sending >= PENDING_DATAGRAMS_MAX) {
      this.#dropped += 1;
      return;
    }
    const datagram = cut(line, this.#target.lengthMax);
    if (this.#state === "open") {
      this.#send(datagram);
      return;
    }
    this.#waiting.push(datagram);
    if (this.#state === "new") this.#open();
  }

  flush(): Promise<void> {
    if (this.#waiting.length === 0 && this.#sending === 0) return Promise.resolve();
    return atMost(new Promise((resolve) => this.#idle.push(resolve)));
  }

  async close(): Promise<void> {
    await this.flush();
    this.#state = "closed";
    this.#waiting = [];
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** The name is resolved and the socket bound to it once: a look-up for each line would fill the thread pool. */
  #open(): void {
    this.#state = "connecting";
    lookup(this.#target.host, (error, address, family) => {
      if (this.#state === "closed") return;
      if (error) {
        this.#giveUp(error);
        return;
      }
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      socket.unref();
      this.#socket = socket;
      // A connected socket hears that nobody listens (ECONNREFUSED), here or in the next send.
      socket.on("error", (cause) => {
        this.#tell(cause);
        if (this.#state === "connecting") this.#giveUp(cause);
      });
      socket.connect(this.#target.port, address, () => {
        if (this.#state !== "connecting") return;
        this.#state = "open";
        for (const datagram of this.#waiting.splice(0)) this.#send(datagram);
        this.#settle();
      });
    });
  }

  #giveUp(cause: Error): void {
    this.#tell(cause);
    this.#state = "failed";
    this.#retryAtMs = Date.now() + RETRY_MS;
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
    this.#socket?.close();
    this.#socket = undefined;
    this.#settle();
  }

  #send(datagram: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#sending += 1;
    socket.send(datagram, (error) => {
      this.#sending -= 1;
      if (error) this.#tell(error);
      else this.#tellDropped();
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#waiting.length === 0 && this.#sending === 0) for (const done of this.#idle.splice(0)) done();
  }

  #tell(cause: Error): void {
    const nowMs = Date.now();
    const quiet = nowMs - this.#failedAtMs > QUIET_MS;
    this.#failedAtMs = nowMs;
    if (!quiet || this.#state === "closed") return;
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
    this.#onProblem(
      `the syslog at ${this.#where()} cannot be reached (${code}): its lines are lost until it can`,
    );
  }

  #tellDropped(): void {
    if (this.#dropped === 0 || Date.now() < this.#failedAtMs + CALM_MS) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#onProblem(`${dropped} log lines for the syslog at ${this.#where()} were dropped`);
  }

  #where(): string {
    const { host, port } = this.#target;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }
}

/** Cuts at a byte; the line feed comes on top, as HAProxy does it. */
function cut(line: string, lengthMax: number): Buffer {
  const whole = Buffer.from(`${line}\n`, "utf8");
  if (whole.length <= lengthMax + 1) return whole;
  const short = whole.subarray(0, lengthMax + 1);
  short[lengthMax] = 0x0a;
  return short;
}
