import { REASONS, type ReasonCode } from "../../events/index.ts";
import type { Due } from "./deadlines.ts";
import type { Standing } from "./standing.ts";

/** What becomes of a lane when one side leaves or takes too long. */
export type Ending =
  | { readonly kind: "ignore" }
  /** In order and without a word: what was written is flushed. */
  | { readonly kind: "close" }
  /** At once and without a word. */
  | { readonly kind: "drop" }
  /** The exchange counts as complete. */
  | { readonly kind: "finish" }
  /** The answer is still delivered, for as long as `timeout client-fin`. */
  | { readonly kind: "linger" }
  /** The request goes to another connection. */
  | { readonly kind: "repeat" }
  /** An answer of the gate's own, then close. */
  | { readonly kind: "answer"; readonly reason: ReasonCode; readonly termination?: string }
  /** Told, and both legs destroyed. */
  | { readonly kind: "cut"; readonly reason: ReasonCode; readonly termination: string };

const IGNORE: Ending = { kind: "ignore" };
const CLOSE: Ending = { kind: "close" };
const DROP: Ending = { kind: "drop" };
const FINISH: Ending = { kind: "finish" };
const LINGER: Ending = { kind: "linger" };
const REPEAT: Ending = { kind: "repeat" };

/** A client that leaves before its first byte: HAProxy logs it as a head that was broken off, unless dontlognull. */
const NOTHING_ASKED: Ending = { kind: "cut", termination: "CR", reason: "client_gone_in_head" };

function answer(reason: ReasonCode, termination?: string): Ending {
  return { kind: "answer", reason, ...(termination !== undefined && { termination }) };
}

function cut(termination: string, reason: ReasonCode): Ending {
  return { kind: "cut", termination, reason };
}

/**
 * FIN behind a complete request may be a client that only ends its half (`nc`, HTTP/1.0 habits) or one that has left:
 * nothing on the wire tells them apart. An answer that has not begun, or whose length is known, is still delivered, for
 * a while. One that streams (a watch, a log) may last a day: there FIN means that nobody reads any more, as HAProxy
 * takes it since 3.3.
 */
export function clientEnds(standing: Standing): Ending {
  switch (standing.phase) {
    case "idle":
      return standing.isFirst ? NOTHING_ASKED : CLOSE;
    case "head":
      return answer("client_gone_in_head");
    case "redial":
    case "exchange":
      if (!standing.requestDone) return answer("client_gone_in_head", "CD");
      if (standing.answerBegun && !standing.response.isCounted) return cut("CD", "client_gone");
      return LINGER;
    case "over":
      return IGNORE;
  }
}

export function clientCloses(standing: Standing): Ending {
  switch (standing.phase) {
    case "idle":
      return standing.isFirst ? NOTHING_ASKED : DROP;
    case "head":
      return cut("CR", "client_gone_in_head");
    case "redial":
      return cut("CC", "client_gone");
    case "exchange":
      return cut(standing.requestDone && !standing.answerBegun ? "CH" : "CD", "client_gone");
    case "over":
      return IGNORE;
  }
}

/** @param inOrder  by FIN, not by a reset: only that may end a body that has no other end. */
export function serverLeaves(standing: Standing, inOrder: boolean): Ending {
  switch (standing.phase) {
    case "idle":
      // As if the client were connected directly. But one that has not asked anything yet would only see its first
      // request fail: another server is dialled when that comes.
      return standing.isFirst ? IGNORE : CLOSE;
    case "head":
    case "redial":
    case "over":
      return IGNORE;
    case "exchange":
      if (standing.responseDone) return FINISH;
      if (standing.postponed.isRepeatable) return REPEAT;
      if (!standing.answerBegun) return answer("server_closed");
      return inOrder && standing.response.endsWithConnection ? FINISH : cut("SD", "server_gone");
  }
}

export function tooSlow(due: Due, standing: Standing): Ending {
  switch (due) {
    case "head":
      return answer("head_too_slow");
    case "keep-alive":
      return CLOSE;
    case "client":
      return cut("cD", "client_idle");
    case "server-head":
      return answer("server_slow");
    case "server-data":
      return cut("sD", "server_idle");
    case "client-fin":
      return cut(standing.answerBegun ? "CD" : "CH", "client_gone");
  }
}

export function aborted(standing: Standing, reason: ReasonCode): Ending {
  switch (standing.phase) {
    case "idle":
      return DROP;
    case "over":
      return IGNORE;
    default:
      return cut(REASONS[reason].termination, reason);
  }
}
