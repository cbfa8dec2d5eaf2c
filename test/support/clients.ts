import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";

/** How a client reaches a gate on loopback. */
export interface ClientWant {
  readonly port: number;
  /** PEM; undefined: nothing is verified. */
  readonly ca?: string;
  readonly servername?: string;
  readonly alpn?: readonly string[];
  readonly session?: Buffer;
  readonly cert?: string;
  readonly key?: string;
  readonly minVersion?: tls.SecureVersion;
  readonly maxVersion?: tls.SecureVersion;
}

/** A TLS client; its later errors are ignored. @throws what the handshake failed with */
export async function secure(want: ClientWant): Promise<tls.TLSSocket> {
  const socket = begin(want);
  await once(socket, "secureConnect");
  return socket;
}

/** A TLS client whose handshake has just begun; its errors are ignored. */
export function begin(want: ClientWant): tls.TLSSocket {
  const { port, ca, servername, alpn, ...rest } = want;
  const raw = net.connect({ port, host: "127.0.0.1" });
  raw.on("error", () => {});
  const socket = tls.connect({
    socket: raw,
    host: "127.0.0.1",
    rejectUnauthorized: ca !== undefined,
    ...(ca !== undefined && { ca }),
    ...(servername !== undefined && { servername }),
    ...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
    ...rest,
  });
  socket.on("error", () => {});
  UNDERNEATH.set(socket, raw);
  return socket;
}

const UNDERNEATH = new WeakMap<net.Socket, net.Socket>();

/** Cuts a client's connection by a TCP reset. */
export function reset(socket: net.Socket): void {
  (UNDERNEATH.get(socket) ?? socket).resetAndDestroy();
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** One request of HTTP/1.1 on a socket of its own, which is closed afterwards. */
export function ask1(
  socket: net.Socket,
  path: string,
  options: { readonly method?: string; readonly host?: string; readonly body?: string | Buffer } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      createConnection: () => socket,
      method: options.method ?? "GET",
      path,
      headers: { host: options.host ?? "gate" },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.end(options.body);
  });
}

/** A session of HTTP/2 on a TLS socket; its later errors are ignored. */
export async function session2(want: ClientWant): Promise<http2.ClientHttp2Session> {
  const socket = await secure({ alpn: ["h2"], ...want });
  const session = http2.connect(`https://${want.servername ?? "gate"}`, { createConnection: () => socket });
  session.on("error", () => {});
  await once(session, "remoteSettings");
  return session;
}

export function ask2(
  session: http2.ClientHttp2Session,
  path: string,
  options: { readonly method?: string; readonly authority?: string; readonly body?: string | Buffer } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = session.request({
      ":path": path,
      ":method": options.method ?? "GET",
      ...(options.authority !== undefined && { ":authority": options.authority }),
    });
    let status = 0;
    let answered: http2.IncomingHttpHeaders = {};
    let text = "";
    request.setEncoding("utf8");
    request.on("response", (headers) => {
      status = Number(headers[":status"]);
      answered = headers;
    });
    request.on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("error", reject);
    request.on("end", () => resolve({ status, headers: answered, text }));
    request.end(options.body);
  });
}

/** Waits until a socket is closed, and gives all that still came. */
export async function restOf(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.destroyed) await once(socket, "close").catch(() => {});
  return Buffer.concat(chunks);
}

/** A TCP client; its later errors are ignored. */
export async function plain(
  port: number,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1", ...options });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}
