import type { Http1Fault } from "./faults.ts";

/** One rule of reading requests: what we make of these bytes, and what HAProxy 2.6 answers to the same. */
export interface RequestRule {
  readonly rule: string;
  readonly bytes: string;
  /** Why we refuse; undefined: we do not. */
  readonly fault?: Http1Fault;
  /** HAProxy's status (200: it passed the request on); undefined: it closes without one; several: chance decides. */
  readonly haproxy: number | undefined | readonly number[];
  /** Why the two differ, where they do. */
  readonly because?: string;
}

export const HOST = "Host: a\r\n";
export const get = (lines: string) => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;
export const post = (lines: string, body: string) => `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
export const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);
export const line = (requestLine: string) => `${requestLine}\r\n${HOST}\r\n`;
