import type { X509Certificate } from "node:crypto";
import * as net from "node:net";
import * as tls from "node:tls";
import { type Connection, type ConnectionHandler, IGNORE, type TlsFacts } from "./connection.ts";
import { keepTicksFast } from "./ticks.ts";
import { sendThisTurn } from "./turn.ts";

/** Silence after which TCP asks whether the peer is still there: how one that vanished (a closed lid) is found. */
const KEEP_ALIVE_MS = 30_000;

/** A `net.Socket` or `tls.TLSSocket` behind the interface the gate knows. */
export class NodeConnection implements Connection {
  handler: ConnectionHandler = IGNORE;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Where the peer connected to; "" and 0 on a unix socket. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsFacts | undefined;
  #socket: net.Socket | undefined;
  #errorCode: string | undefined;
  #ended = false;
  /** Written and not yet given to the socket: one chunk nearly always, seldom more. */
  #first: Buffer | undefined;
  #more: Buffer[] | undefined;
  #waitingBytes = 0;
  /** The socket takes no more until its `drain`. Kept here: to ask it (`writableLength`) cost 0.9 µs a request. */
  #isFull = false;
  /** `write` said false for what waited here, and the socket itself may never have been full. */
  #owesDrain = false;
  readonly #roomBytes: number;
  readonly #onData = (chunk: Buffer) => this.handler.data(chunk);
  readonly #onDrain = () => {
    this.#isFull = false;
    this.#owesDrain = false;
    this.handler.drain();
  };
  readonly #onEnd = () => this.handler.end();
  readonly #onError = (error: NodeJS.ErrnoException) => {
    this.#errorCode ??= error.code ?? error.message;
  };
  readonly #onClose = () => this.handler.closed(this.#errorCode);

  /** @param socket  opened with `allowHalfOpen`; it stays paused until `resume`. */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#roomBytes = socket.writableHighWaterMark;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = plainAddress(socket.localAddress);
    this.localPort = socket.localPort ?? 0;
    this.tls = socket instanceof tls.TLSSocket ? tlsFacts(socket) : undefined;
    socket.pause();
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    // Attaching `data` starts the flow; the owner sets its handler first and then resumes.
    socket.pause();
    // Reads ahead a little: a peer that leaves meanwhile is heard.
    socket.read(0);
  }

  /** The socket has it at the end of this turn: see `sendThisTurn`. */
  write(chunk: Buffer): boolean {
    if (this.#socket === undefined || this.#ended) return true;
    if (this.#first === undefined) {
      this.#first = chunk;
      sendThisTurn(this);
    } else if (this.#more === undefined) this.#more = [chunk];
    else this.#more.push(chunk);
    this.#waitingBytes += chunk.length;
    const hasRoom = !this.#isFull && this.#waitingBytes < this.#roomBytes;
    if (!hasRoom) this.#owesDrain = true;
    return hasRoom;
  }

  /** For `sendThisTurn`. */
  send(): void {
    this.#giveToSocket();
    if (!this.#owesDrain || this.#isFull || this.#ended) return;
    this.#owesDrain = false;
    this.handler.drain();
  }

  #giveToSocket(): void {
    const first = this.#first;
    if (first === undefined) return;
    const more = this.#more;
    const socket = this.#socket;
    this.#first = undefined;
    this.#more = undefined;
    this.#waitingBytes = 0;
    if (socket === undefined || socket.destroyed) return;
    if (more !== undefined) socket.cork();
    this.#isFull = !socket.write(first);
    if (more === undefined) return;
    for (const chunk of more) this.#isFull = !socket.write(chunk);
    socket.uncork();
  }

  get pendingBytes(): number {
    return this.#waitingBytes + (this.#socket?.writableLength ?? 0);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#giveToSocket();
    this.#ended = true;
    this.#socket?.end();
  }

  /** What waits here is given first: an answer that cut short a lane must reach its client. */
  destroy(): void {
    this.#giveToSocket();
    this.#ended = true;
    this.#socket?.destroy();
  }

  get destroyed(): boolean {
    return this.#socket === undefined || this.#socket.destroyed;
  }

  /** Lets go of the raw socket so that TLS can be laid over it. This object is of no use afterwards. */
  release(): net.Socket {
    const socket = this.#socket;
    if (socket === undefined) throw new Error("the socket was released already");
    this.#socket = undefined;
    socket.pause();
    socket.off("data", this.#onData);
    socket.off("drain", this.#onDrain);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    // `error` stays: the TLS socket above tells the failure, and an unheard one would end the process.
    return socket;
  }
}

/** IPv4 in IPv6 (`::ffff:10.0.0.1`) as people write it. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

function tlsFacts(socket: tls.TLSSocket): TlsFacts {
  return {
    alpn: socket.alpnProtocol === false || socket.alpnProtocol === null ? undefined : socket.alpnProtocol,
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.standardName ?? "",
    resumed: socket.isSessionReused(),
  };
}

export interface ListenOptions {
  readonly address:
    | { readonly host: string; readonly port: number; readonly v6only?: boolean }
    | { readonly path: string };
  readonly backlog?: number;
  onAccept(raw: NodeConnection): void;
  /** After listening began: an accept that failed (out of file descriptors). */
  onError(error: NodeJS.ErrnoException): void;
}

export interface Listener {
  /** The port in use (the one given, or the one the kernel chose for 0); 0 on a unix socket. */
  readonly port: number;
  /** Stops accepting; open connections go on. */
  close(): void;
}

/** @throws NodeJS.ErrnoException (EADDRINUSE, EACCES, EADDRNOTAVAIL) when the address cannot be had. */
export function listen(options: ListenOptions): Promise<Listener> {
  keepTicksFast();
  return new Promise((resolve, reject) => {
    const accepted: net.ServerOpts = {
      allowHalfOpen: true,
      noDelay: true,
      pauseOnConnect: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    };
    const server = net.createServer(accepted, (socket) => options.onAccept(new NodeConnection(socket)));
    server.once("error", reject);
    const { address } = options;
    const where =
      "path" in address
        ? { path: address.path }
        : { host: address.host, port: address.port, ipv6Only: address.v6only ?? false };
    server.listen({ ...where, ...(options.backlog !== undefined && { backlog: options.backlog }) }, () => {
      server.off("error", reject);
      server.on("error", options.onError);
      const bound = server.address();
      const port = bound !== null && typeof bound === "object" ? bound.port : 0;
      resolve({ port, close: () => server.close() });
    });
  });
}

export interface AcceptTlsOptions {
  readonly context: tls.SecureContext;
  /** What ALPN is answered; undefined: the extension is ignored. */
  readonly alpn: string | undefined;
  /** Whether the client is asked for a certificate, which the context's authorities must have signed. */
  readonly clientCertificate: "none" | "optional" | "required";
}

/**
 * Ends the client's TLS on a raw connection whose first bytes were read already.
 * @param initial  those bytes, beginning with the ClientHello
 * @param signal   gives up the handshake, for its timeout
 * @throws NodeJS.ErrnoException with the OpenSSL code (`ERR_SSL_…`), ECONNRESET, `ECONNABORTED` when the client left, or
 *         `ERR_CLIENT_CERTIFICATE` when its certificate is not trusted
 */
export async function acceptTls(
  raw: NodeConnection,
  initial: Buffer,
  options: AcceptTlsOptions,
  signal: AbortSignal,
): Promise<NodeConnection> {
  const socket = raw.release();
  if (socket.destroyed || socket.readableEnded) {
    socket.destroy();
    throw errnoError("ECONNABORTED", "the peer left before the handshake");
  }
  socket.unshift(initial);
  const secure = new tls.TLSSocket(socket, {
    isServer: true,
    secureContext: options.context,
    requestCert: options.clientCertificate !== "none",
    rejectUnauthorized: options.clientCertificate === "required",
    ...(options.alpn !== undefined && { ALPNProtocols: [options.alpn] }),
  });
  const connection = await handshake(secure, "secure", signal);
  // Of a TLS socket that no `tls.Server` made, Node tells later faults (a broken record, a renegotiation) by this event
  // alone: unheard, the connection would stay open and mute until its timeout.
  secure.on("_tlsError", (error: Error) => secure.destroy(error));
  if (options.clientCertificate === "none") return connection;
  const verdict = judgeClient(secure, options.clientCertificate);
  if (verdict === undefined) return connection;
  connection.destroy();
  throw errnoError("ERR_CLIENT_CERTIFICATE", `the client's certificate is not trusted (${verdict})`);
}

/**
 * OpenSSL's verdict on the client's certificate; undefined: good, or none and none is required. OpenSSL itself refuses a
 * client that shows none where one is required. For the rest Node leaves the verdict on the socket's handle, and only
 * `tls.Server` reads it there: where it cannot be read, nobody is trusted.
 */
function judgeClient(socket: tls.TLSSocket, wanted: "optional" | "required"): string | undefined {
  if (wanted === "optional" && socket.getPeerX509Certificate() === undefined) return undefined;
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return "the connection is closed";
  const read: unknown = Reflect.get(handle, "verifyError");
  if (typeof read !== "function") return "this runtime does not tell";
  const failure: unknown = Reflect.apply(read, handle, []);
  if (failure === null || failure === undefined) return undefined;
  return failure instanceof Error ? failure.message : String(failure);
}

export interface DialTcpOptions {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly signal?: AbortSignal;
}

/** @throws NodeJS.ErrnoException (ECONNREFUSED, EHOSTUNREACH, …), or code ABORT_ERR when the signal fired. */
export function dialTcp(options: DialTcpOptions): Promise<NodeConnection> {
  const socket = net.connect({ host: options.host, port: options.port, allowHalfOpen: true, noDelay: true });
  return handshake(socket, "connect", options.signal);
}

export interface DialTlsOptions extends DialTcpOptions {
  readonly context: tls.SecureContext;
  /** Sent as SNI; undefined: none. */
  readonly servername?: string;
  readonly alpn: readonly string[];
  /** A ticket of an earlier connection to the same server under the same policy. */
  readonly session?: Buffer;
  onSession(session: Buffer): void;
  /** TCP is connected, TLS begins: a failure after this is one of TLS. */
  onConnect?(): void;
}

export interface DialledTls {
  readonly connection: NodeConnection;
  readonly tls: TlsFacts;
  /** OpenSSL's verdict on the chain (`UNABLE_TO_VERIFY_LEAF_SIGNATURE`, `CERT_HAS_EXPIRED` …); undefined: good. */
  readonly verifyCode: string | undefined;
  /** The server's own certificate; its `issuerCertificate` leads up the chain where that was sent. */
  peerCertificate(): X509Certificate | undefined;
}

/**
 * Connects and shakes hands. The certificate is judged by OpenSSL but not enforced: the caller must look at
 * `verifyCode` and at the name before it writes a byte.
 * @throws NodeJS.ErrnoException as `dialTcp`, or with an OpenSSL code
 */
export async function dialTls(options: DialTlsOptions): Promise<DialledTls> {
  // `allowHalfOpen` is documented for tls.connect and missing from its types.
  const dial: tls.ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    host: options.host,
    port: options.port,
    allowHalfOpen: true,
    secureContext: options.context,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(options.alpn.length > 0 && { ALPNProtocols: [...options.alpn] }),
    ...(options.servername !== undefined && { servername: options.servername }),
    ...(options.session !== undefined && { session: options.session }),
  };
  const socket = tls.connect(dial);
  socket.setNoDelay(true);
  socket.on("session", options.onSession);
  if (options.onConnect !== undefined) socket.once("connect", options.onConnect);
  const connection = await handshake(socket, "secureConnect", options.signal);
  // Typed as Error, but Node puts OpenSSL's code there as a string.
  const failure: unknown = socket.authorized ? undefined : socket.authorizationError;
  return {
    connection,
    tls: connection.tls ?? tlsFacts(socket),
    verifyCode: failure === undefined || failure === null ? undefined : String(failure),
    peerCertificate: () => socket.getPeerX509Certificate(),
  };
}

/** Waits for a socket's opening event; on failure or abort the socket is destroyed and the reason thrown. */
function handshake(
  socket: net.Socket,
  opened: "connect" | "secureConnect" | "secure",
  signal: AbortSignal | undefined,
): Promise<NodeConnection> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off(opened, onOpen);
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.off("end", onClose);
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: Error) => {
      settle();
      socket.on("error", () => {}); // its failure is told already
      socket.destroy();
      reject(error);
    };
    const onOpen = () => {
      settle();
      if (opened !== "secure") socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve(new NodeConnection(socket));
    };
    const onError = (error: Error) => fail(error);
    const onClose = () =>
      fail(errnoError("ECONNABORTED", "the peer closed the connection during the handshake"));
    const onAbort = () => fail(errnoError("ABORT_ERR", "given up"));
    socket.once(opened, onOpen);
    socket.once("error", onError);
    socket.once("close", onClose);
    if (opened !== "connect") socket.once("end", onClose);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

function errnoError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
