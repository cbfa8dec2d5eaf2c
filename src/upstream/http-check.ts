import type { CheckMethod } from "../model/index.ts";
import type { Connection } from "../socket/index.ts";

export type HttpCheck = Extract<CheckMethod, { readonly kind: "http" }>;

/** What came back instead of a status. */
export type NoStatus = "timeout" | "closed" | "not_http" | "gone";

/** A status line is short; who sends more without a line end does not speak HTTP. */
const STATUS_LINE_BYTES_MAX = 1024;

/** The bytes of a check's request (HAProxy manual §4.2 `option httpchk`, `http-check send`). */
export function writeCheckRequest(check: HttpCheck, host: string): Buffer {
  const named = new Set(check.headers.map(([name]) => name.toLowerCase()));
  const lines = [`${check.method} ${check.path} ${check.version}`];
  // HTTP/1.1 must name a host (RFC 9112 §3.2), and one question is all that is asked on this connection.
  if (check.version === "HTTP/1.1" && !named.has("host")) lines.push(`host: ${host}`);
  if (check.version === "HTTP/1.1" && !named.has("connection")) lines.push("connection: close");
  for (const [name, value] of check.headers) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** Whether a status passes, and whether it deserves a note: alive, but not allowed to look. */
export function judgeStatus(check: HttpCheck, status: number): "passed" | "forbidden" | "failed" {
  if (check.expect.length > 0) {
    return check.expect.some(([from, to]) => status >= from && status <= to) ? "passed" : "failed";
  }
  if (status >= 200 && status <= 399) return "passed";
  // An API server whose health paths are closed to anonymous callers answers so, and is alive.
  return status === 401 || status === 403 ? "forbidden" : "failed";
}

/** Sends the request and reads no more than the status line; closes the connection in any case. Never rejects. */
export function askStatus(
  connection: Connection,
  request: Buffer,
  limitMs: number,
  gone: AbortSignal,
): Promise<number | NoStatus> {
  return new Promise((resolve) => {
    let seen = "";
    const finish = (result: number | NoStatus) => {
      clearTimeout(timer);
      gone.removeEventListener("abort", onAbort);
      resolve(result);
      connection.destroy();
    };
    const onAbort = () => finish("gone");
    const timer = setTimeout(() => finish("timeout"), limitMs);
    gone.addEventListener("abort", onAbort, { once: true });
    connection.handler = {
      data(chunk) {
        seen += chunk.toString("latin1");
        const end = seen.indexOf("\n");
        if (end >= 0) finish(readStatusLine(seen.slice(0, end)));
        else if (seen.length > STATUS_LINE_BYTES_MAX) finish("not_http");
      },
      drain() {},
      end: () => finish("closed"),
      closed: () => finish("closed"),
    };
    connection.write(request);
    connection.resume();
  });
}

function readStatusLine(line: string): number | "not_http" {
  const status = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: |\r?$)/.exec(line)?.[1];
  return status === undefined ? "not_http" : Number(status);
}
