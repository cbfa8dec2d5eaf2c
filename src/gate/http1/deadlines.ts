import type { RelayTimeouts } from "../relay.ts";
import type { Standing } from "./standing.ts";

export type Due = "head" | "keep-alive" | "client" | "server-head" | "server-data" | "client-fin";

/** How long a client that has sent FIN is still answered, unless `timeout client-fin` says otherwise. */
const CLIENT_FIN_MS_DEFAULT = 10_000;

/** Keeps the next deadline, with HAProxy's meaning of the timeouts (manual §4.2), and what is due then. */
export class Deadlines {
  readonly #timeouts: RelayTimeouts;
  readonly #wake: (atMs: number) => void;
  #wakesAt = Number.POSITIVE_INFINITY;
  #at = Number.POSITIVE_INFINITY;
  #due: Due = "head";

  /** @param wake  asks for a call of `check` by then, if none is due earlier */
  constructor(timeouts: RelayTimeouts, wake: (atMs: number) => void) {
    this.#timeouts = timeouts;
    this.#wake = wake;
  }

  /** Something changed that may bring the next deadline nearer. One that moves away costs nothing. */
  arm(standing: Standing): void {
    this.#look(standing);
    if (this.#at >= this.#wakesAt) return;
    this.#wakesAt = this.#at;
    this.#wake(this.#at);
  }

  /** @returns what is due, or the moment of the next look. */
  check(standing: Standing, nowMs: number): Due | number {
    standing.client.noteProgress(nowMs);
    standing.server.noteProgress(nowMs);
    this.#look(standing);
    const isDue = this.#at <= nowMs;
    this.#wakesAt = isDue ? Number.POSITIVE_INFINITY : this.#at;
    return isDue ? this.#due : this.#at;
  }

  /** @returns until when a client is still answered that sends FIN now. */
  afterClientFin(nowMs: number): number {
    return nowMs + (this.#timeouts.clientFinMs ?? CLIENT_FIN_MS_DEFAULT);
  }

  #look(standing: Standing): void {
    const timeouts = this.#timeouts;
    this.#at = Number.POSITIVE_INFINITY;
    switch (standing.phase) {
      case "idle":
        if (standing.isFirst) this.#offer("head", standing.since, timeouts.httpRequestMs);
        else this.#offer("keep-alive", standing.since, timeouts.httpKeepAliveMs);
        return;
      case "head":
        this.#offer("head", standing.since, timeouts.httpRequestMs);
        return;
      case "exchange":
        this.#lookAtExchange(standing);
        return;
    }
  }

  /** Each side's idleness counts only while it is that side's turn: a quiet watch is the server's. */
  #lookAtExchange(standing: Standing): void {
    const timeouts = this.#timeouts;
    const { client, server, requestDone, responseDone } = standing;
    if (client.isBlocked || (!requestDone && !server.isBlocked)) {
      this.#offer("client", client.activeAt, timeouts.clientMs);
    }
    if (server.isBlocked || (requestDone && !responseDone && !client.isBlocked)) {
      this.#offer(standing.answerBegun ? "server-data" : "server-head", server.activeAt, timeouts.serverMs);
    }
    if (standing.clientFinAt < this.#at) {
      this.#at = standing.clientFinAt;
      this.#due = "client-fin";
    }
  }

  #offer(due: Due, since: number, ms: number | undefined): void {
    if (ms === undefined || since + ms >= this.#at) return;
    this.#at = since + ms;
    this.#due = due;
  }
}
