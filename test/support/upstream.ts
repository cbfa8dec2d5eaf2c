import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import type * as net from "node:net";
import type { TLSSocket } from "node:tls";

/** An API server's stand-in on Node's own http and http2: what a test has to see on that side of the gate. */
export interface Upstream {
  readonly port: number;
  /** TCP connections it ever took, and those open now. */
  readonly taken: number;
  readonly open: number;
  /** Of each TLS connection, in order: whether it went on with an earlier session. */
  readonly resumed: readonly boolean[];
  /** Requests that came in whole or in part, the newest last. */
  readonly requests: readonly string[];
  /** Bytes of `/big` answers that it has written. */
  readonly poured: number;
  /** Lets `/sink` read on. */
  release(): void;
  /** Bytes that `/sink` has read. */
  readonly sunk: number;
  /** Cuts all connections with a reset, or by FIN in the middle of everything. */
  cut(how: "reset" | "fin"): void;
  /** Cuts all connections and stops listening. */
  close(): Promise<void>;
}

export interface UpstreamWant {
  readonly name?: string;
  readonly port?: number;
  /** Undefined: plain text. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Over TLS; default both. */
  readonly speaks?: "both" | "h1" | "h2";
}

type Request = http.IncomingMessage | http2.Http2ServerRequest;
type Response = http.ServerResponse | http2.Http2ServerResponse;

/**
 * Paths: `/big?BYTES` an answer of that size; `/watch` a first event, then silence; `/hang` no answer; `/half` half an
 * answer; `/sink` reads nothing of the body before `release`; any other tells what came in, as JSON.
 */
export async function startUpstream(want: UpstreamWant = {}): Promise<Upstream> {
  const sockets = new Set<net.Socket>();
  const resumed: boolean[] = [];
  const requests: string[] = [];
  const held: (() => void)[] = [];
  let taken = 0;
  let sunk = 0;
  let poured = 0;
  let released = false;
  const answer = (request: Request, response: Response) => {
    requests.push(`${request.method} ${request.url}`);
    request.on("error", () => {});
    response.on("error", () => {});
    const url = new URL(request.url ?? "/", "http://upstream");
    switch (url.pathname) {
      case "/big":
        response.writeHead(200, { "content-type": "application/octet-stream" });
        pour(response, Number(url.search.slice(1)), (bytes) => {
          poured += bytes;
        });
        return;
      case "/watch":
        response.writeHead(200, { "content-type": "application/json" });
        write(response, '{"type":"ADDED"}\n');
        return;
      case "/hang":
        return;
      case "/half":
        response.writeHead(200, { "content-length": "100000" });
        write(response, "x".repeat(1_000));
        return;
      case "/sink": {
        const read = () => {
          request.on("data", (chunk: Buffer) => {
            sunk += chunk.length;
          });
          request.on("end", () => response.end(String(sunk)));
        };
        if (released) read();
        else held.push(read);
        return;
      }
      default:
        request.resume();
        request.on("end", () => response.end(JSON.stringify(told(request, want.name ?? "upstream"))));
    }
  };
  const server = create(want, answer);
  server.on("connection", (socket: net.Socket) => {
    taken += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused());
    socket.on("error", () => {});
  });
  server.on("sessionError", () => {});
  server.on("clientError", (_error: Error, socket: net.Socket) => socket.destroy());
  server.listen(want.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const cut = (how: "reset" | "fin") => {
    for (const socket of sockets) {
      if (how === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    get taken() {
      return taken;
    },
    get open() {
      return sockets.size;
    },
    resumed,
    requests,
    get poured() {
      return poured;
    },
    release() {
      released = true;
      for (const read of held) read();
    },
    get sunk() {
      return sunk;
    },
    cut,
    async close() {
      if (!server.listening) return;
      server.close();
      cut("fin");
      await once(server, "close");
    },
  };
}

function create(want: UpstreamWant, answer: (request: Request, response: Response) => void) {
  const { tls, speaks = "both" } = want;
  if (tls === undefined) return http.createServer(answer);
  const { cert, key, ca } = tls;
  const secret = { cert, key, ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }) };
  if (speaks === "h1") return https.createServer(secret, answer);
  return http2.createSecureServer({ ...secret, allowHTTP1: speaks === "both" }, answer);
}

function told(request: Request, name: string) {
  const socket = request.socket as TLSSocket;
  const peer: unknown = "getPeerCertificate" in socket ? socket.getPeerCertificate().subject?.CN : undefined;
  return {
    name,
    method: request.method,
    url: request.url,
    version: request.httpVersion,
    serverName: "servername" in socket ? socket.servername || undefined : undefined,
    client: peer,
    headers: request.headers,
  };
}

/** What `/` answers with. */
export type Told = ReturnType<typeof told>;

function write(response: Response, text: string): void {
  if ("stream" in response) response.write(text);
  else response.write(text);
}

const PIECE = Buffer.alloc(65_536, "0123456789abcdef");

/** Writes so many bytes as fast as they are taken. */
function pour(response: Response, bytes: number, count: (bytes: number) => void): void {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const piece = PIECE.subarray(0, Math.min(left, PIECE.length));
      left -= piece.length;
      count(piece.length);
      const goesOn = "stream" in response ? response.write(piece) : response.write(piece);
      if (!goesOn) return;
    }
    response.off("drain", more);
    response.end();
  };
  response.on("drain", more);
  more();
}
