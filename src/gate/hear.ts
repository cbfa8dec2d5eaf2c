import type { ReasonCode } from "../events/index.ts";
import { type ConnectionHandler, IGNORE, type NodeConnection } from "../socket/index.ts";
import { type ClientHello, readClientHello } from "../wire/index.ts";
import { contained } from "./contained.ts";

/** The first bytes of a client that speaks TLS. They are not consumed: TLS or the server must be given them again. */
export interface Heard {
  readonly kind: "heard";
  readonly initial: Buffer;
  readonly hello: ClientHello;
}

export interface NotHeard {
  readonly kind: "not-heard";
  readonly reason: ReasonCode;
  readonly detail: string;
  /** Not a byte came. */
  readonly silent: boolean;
}

// What Go's server says to the same mistake (net/http server.go); curl and kubectl show it.
const PLAIN_HTTP_ANSWER = Buffer.from(
  "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
    "Client sent an HTTP request to an HTTPS server.\n",
);

/**
 * Waits for the ClientHello on a freshly accepted connection, and leaves it paused. One that brings something else is
 * destroyed, or told in HTTP and left to be closed in order.
 * @param timeoutMs  from now; the connection is destroyed when it passes
 * @param gone       gives up; resolves to undefined
 * @throws what a mistake of ours throws meanwhile; the connection is left to the caller then
 */
export function hearClientHello(
  raw: NodeConnection,
  timeoutMs: number | undefined,
  gone: AbortSignal,
): Promise<Heard | NotHeard | undefined> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail("handshake_timeout", "no ClientHello"), timeoutMs);
    const letGo = () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", giveUp);
      raw.handler = IGNORE;
    };
    const settle = (result: Heard | NotHeard | undefined) => {
      letGo();
      raw.pause();
      resolve(result);
    };
    const giveUp = () => settle(undefined);
    const fail = (reason: ReasonCode, detail: string) => {
      settle({ kind: "not-heard", reason, detail, silent: bytes.length === 0 });
      raw.destroy();
    };
    const read = () => {
      const result = readClientHello(bytes);
      if (result.kind === "hello") settle({ kind: "heard", initial: bytes, hello: result.hello });
      else if (result.kind === "not-tls") refuse(result.what);
    };
    const refuse = (what: "http" | "garbage") => {
      if (what === "garbage") return fail("not_tls", "the first bytes are not a TLS ClientHello");
      raw.write(PLAIN_HTTP_ANSWER);
      settle({ kind: "not-heard", reason: "plain_http", detail: "plain HTTP to a TLS port", silent: false });
    };
    const handler: ConnectionHandler = {
      data(chunk) {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        read();
      },
      drain() {},
      end: () => fail("handshake_closed", "the client closed before its ClientHello was complete"),
      closed: (code) => fail("handshake_closed", code ?? "closed"),
    };
    raw.handler = contained(handler, (error) => {
      letGo();
      reject(error);
    });
    gone.addEventListener("abort", giveUp, { once: true });
    raw.resume();
  });
}
