import { REASONS, type ReasonCode } from "../../events/index.ts";
import { FAULTS, type Http1Fault } from "../../wire/http1/index.ts";
import type { LocalAnswer } from "../answer.ts";

const PHRASES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  405: "Method Not Allowed",
  408: "Request Timeout",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * An answer of the gate's own as HTTP/1.1.
 * @param toHead  answers HEAD: the length is told, the body stays away
 * @param closes  the lane ends after it
 */
export function renderLocalAnswer(answer: LocalAnswer, toHead: boolean, closes: boolean): Buffer {
  const head = [
    `HTTP/1.1 ${answer.status} ${PHRASES[answer.status] ?? "Refused"}`,
    `content-type: ${answer.contentType}`,
    `content-length: ${answer.body.length}`,
    "cache-control: no-cache",
    // RFC 9110 §15.5.6 demands it; only CONNECT is ever answered so.
    ...(answer.status === 405 ? ["allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"] : []),
    ...(closes ? ["connection: close"] : []),
    "\r\n",
  ].join("\r\n");
  return toHead ? Buffer.from(head) : Buffer.concat([Buffer.from(head), answer.body]);
}

/** What to say about a request that cannot be read: the reason, and where it helps, what exactly is wrong. */
export function refusalOf(fault: Http1Fault): { readonly reason: ReasonCode; readonly message?: string } {
  switch (fault) {
    case "connect":
      return { reason: "connect_refused" };
    case "head_too_large":
    case "too_many_fields":
      return { reason: "head_too_large" };
    default:
      return { reason: "bad_request", message: sentenceWith("bad_request", FAULTS[fault]) };
  }
}

export function sentenceWith(reason: ReasonCode, what: string): string {
  return `${REASONS[reason].sentence}: ${what}`;
}
