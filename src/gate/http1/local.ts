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
