import { type IncomingMessage, ServerResponse } from "node:http";
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  constants as http2,
} from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Server, TLSSocket } from "node:tls";
import { type Api, serve, upgradeTarget } from "./api.ts";
import { authenticate, authorize, type HeaderLines, impersonated } from "./auth.ts";
import { type Call, type RequestHead, type ResponseStream, sendError } from "./call.ts";
import type { SandboxOptions, SeenRequest } from "./options.ts";
import { readRequestInfo } from "./request-info.ts";
import { serveUpgrade } from "./streams/serve.ts";
import type { UpgradeCall, UpgradeKinds } from "./streams/upgrade.ts";

export interface Listener {
  readonly address: AddressInfo | string | null;
  openConnections(): number;
  goaway(): void;
  cut(): void;
  close(): Promise<void>;
}

type Answerer = (call: Call) => Promise<void>;

/** The TLS port: HTTP/2 and HTTP/1.1 on Node's own servers, one `Call` for both. */
export async function startListener(
  options: SandboxOptions,
  api: Api,
  onSeen: (seen: SeenRequest) => void,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  const upgrades: UpgradeKinds = { websocket: true, spdy: true, ...options.upgrades };
  const answer: Answerer = (call) => serve(call, api);
  const server = createTlsServer(options);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("session", (session: Http2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  server.on("request", (request: AnyRequest, response: AnyResponse) => {
    void handle(request, response, tlsSocketOf(request), api, onSeen, answer);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {});
    const response = new ServerResponse(request);
    if (socket instanceof TLSSocket) response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.on("finish", () => socket.end());
    const tls = socket instanceof TLSSocket ? socket : undefined;
    void handle(request, response, tls, api, onSeen, async (call) => {
      const upgrade: UpgradeCall = {
        ...call,
        accept: (text) => switchProtocol(response, socket, head, text),
      };
      if (call.info.target === undefined) return answer(call);
      serveUpgrade(upgrade, api, upgradeTarget(call, api), upgrades);
    });
  });
  await listen(server, options);
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    address: server.address(),
    openConnections: () => sockets.size,
    goaway: () => {
      for (const session of sessions) session.goaway(http2.NGHTTP2_NO_ERROR);
    },
    cut,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }),
  };
}

type AnyRequest = IncomingMessage | Http2ServerRequest;
type AnyResponse = (ServerResponse & ResponseStream) | (Http2ServerResponse & ResponseStream);

function createTlsServer(options: SandboxOptions): Server {
  const alpn = options.alpn ?? ["h2", "http/1.1"];
  const tls = {
    cert: options.tls.cert,
    key: options.tls.key,
    ...(options.clientCa !== undefined && {
      ca: options.clientCa,
      requestCert: true,
      rejectUnauthorized: false,
    }),
  };
  const allowHTTP1 = alpn.includes("http/1.1");
  // As kube-apiserver's idle timeout; Node's own default of 5 s would close kept connections under the client's hands.
  const idleMs = 90_000;
  if (!alpn.includes("h2")) return createServer({ ...tls, keepAliveTimeout: idleMs });
  const server = createSecureServer({ ...tls, allowHTTP1, settings: { maxConcurrentStreams: 100 } });
  return Object.assign(server, { keepAliveTimeout: idleMs });
}

function listen(server: Server, options: SandboxOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function tlsSocketOf(request: AnyRequest): TLSSocket | undefined {
  const socket: unknown = "stream" in request ? request.stream.session?.socket : request.socket;
  // HTTP/2 hands out a stand-in for its socket that answers the same questions.
  return socket instanceof TLSSocket || isStandIn(socket) ? socket : undefined;
}

function isStandIn(socket: unknown): socket is TLSSocket {
  return typeof socket === "object" && socket !== null && "getPeerCertificate" in socket;
}

async function handle(
  request: AnyRequest,
  response: AnyResponse,
  socket: TLSSocket | undefined,
  api: Api,
  onSeen: (seen: SeenRequest) => void,
  answer: Answerer,
): Promise<void> {
  const head = headOf(request);
  onSeen({
    method: head.method,
    url: request.url ?? "",
    httpVersion: head.httpVersion,
    headers: head.headers,
    serverName: serverNameOf(socket),
  });
  try {
    const user = impersonated(authenticate(socket, head.headers, api.tokens), head.headers);
    const info = readRequestInfo(head.method, head.path, head.query);
    authorize(user, info);
    await answer({ ...head, user, info, body: request, response });
  } catch (error) {
    sendError({ ...head, response }, error);
  }
}

function headOf(request: AnyRequest): RequestHead {
  const url = request.url ?? "";
  const question = url.indexOf("?");
  const raw = request.rawHeaders;
  const headers: HeaderLines = Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index]!.toLowerCase(),
    raw[2 * index + 1]!,
  ]);
  return {
    method: request.method ?? "",
    path: question < 0 ? url : url.slice(0, question),
    query: new URLSearchParams(question < 0 ? "" : url.slice(question + 1)),
    headers,
    httpVersion: request.httpVersion,
  };
}

function serverNameOf(socket: TLSSocket | undefined): string {
  const name: unknown = socket === undefined ? undefined : Reflect.get(socket, "servername");
  return typeof name === "string" ? name : "";
}

/** From here on the connection is no longer HTTP. */
function switchProtocol(response: ServerResponse, socket: Duplex, head: Buffer, text: string): Duplex {
  if (socket instanceof TLSSocket) {
    response.detachSocket(socket);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
  }
  socket.write(text);
  if (head.length > 0) socket.unshift(head);
  return socket;
}
