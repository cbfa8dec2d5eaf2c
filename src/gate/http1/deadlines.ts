import type { RelayTimeouts } from "../relay.ts";
import type { Leg } from "./leg.ts";

/** What a relay waits for, as far as its time is limited. Moments are ms of the lane's clock. */
export interface Waiting {
  readonly phase: "idle" | "head" | "redial" | "exchange" | "over";
  /** Begin of the phase; of the first request's head: the accept. */
  readonly since: number;
  /** No request was read on this lane yet. */
  readonly isFirst: boolean;
  readonly client: Leg;
  readonly server: Leg;
  readonly requestDone: boolean;
  readonly responseDone: boolean;
  /** The head of the answer went to the client. */
  readonly answerBegun: boolean;
  /** When a client that sent FIN has had its time. */
  readonly clientFinAt: number;
}

export type Due = "head" | "keep-alive" | "client" | "server-head" | "server-data" | "client-fin";

/** The next deadline, with HAProxy's meaning of the timeouts (manual §4.2), and what is due then. */
export class Deadlines {
  at = Number.POSITIVE_INFINITY;
  due: Due = "head";

  look(waiting: Waiting, timeouts: RelayTimeouts): void {
    this.at = Number.POSITIVE_INFINITY;
    switch (waiting.phase) {
      case "idle":
        if (waiting.isFirst) this.#offer("head", waiting.since, timeouts.httpRequestMs);
        else this.#offer("keep-alive", waiting.since, timeouts.httpKeepAliveMs);
        return;
      case "head":
        this.#offer("head", waiting.since, timeouts.httpRequestMs);
        return;
      case "exchange":
        this.#lookAtExchange(waiting, timeouts);
        return;
    }
  }

  /** Each side's idleness counts only while it is that side's turn: a quiet watch is the server's. */
  #lookAtExchange(waiting: Waiting, timeouts: RelayTimeouts): void {
    const { client, server, requestDone, responseDone } = waiting;
    if (client.isBlocked || (!requestDone && !server.isBlocked)) {
      this.#offer("client", client.activeAt, timeouts.clientMs);
    }
    if (server.isBlocked || (requestDone && !responseDone && !client.isBlocked)) {
      this.#offer(waiting.answerBegun ? "server-data" : "server-head", server.activeAt, timeouts.serverMs);
    }
    if (waiting.clientFinAt < this.at) {
      this.at = waiting.clientFinAt;
      this.due = "client-fin";
    }
  }

  #offer(due: Due, since: number, ms: number | undefined): void {
    if (ms === undefined || since + ms >= this.at) return;
    this.at = since + ms;
    this.due = due;
  }
}
