import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { parseJson, textAt } from "../json.ts";

/** An API server and how to be trusted by it. */
export interface ApiTarget {
  /** https://HOST:PORT */
  readonly url: string;
  /** PEM; default: the CAs Node knows. */
  readonly ca?: string;
  /** Server name to send and to verify, when it is not the URL's host. */
  readonly servername?: string;
  readonly token?: string;
  /** PEM of a client certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** For each operation as a whole; default 10 s. */
  readonly timeoutMs?: number;
}

/** Something the client asked for did not come; the message is for people. */
export class ClientError extends Error {
  /** HTTP status, when there was an answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = "ClientError";
    this.status = status;
  }
}

const defaultTimeoutMs = 10_000;

/**
 * Opens a verified TLS connection.
 * @param alpn  undefined: none is offered, as kubectl does it for upgrades
 * @throws ClientError when it cannot be reached, is not trusted, or chose another protocol
 */
export function connectTls(target: ApiTarget, alpn: "h2" | "http/1.1" | undefined): Promise<TLSSocket> {
  const { hostname, host, port } = new URL(target.url);
  const address = hostname.replace(/^\[|\]$/g, "");
  const servername = target.servername ?? (isIP(address) === 0 ? address : undefined);
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host: address,
      port: Number(port || 443),
      ...(target.ca !== undefined && { ca: target.ca }),
      ...(servername !== undefined && { servername }),
      ...(target.cert !== undefined && { cert: target.cert }),
      ...(target.key !== undefined && { key: target.key }),
      ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    });
    const fail = (error: Error): void => reject(new ClientError(connectProblem(host, error)));
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      socket.off("error", fail);
      socket.on("error", () => {});
      if (alpn === "h2" && socket.alpnProtocol !== "h2") {
        socket.destroy();
        reject(
          new ClientError(`${host} does not speak HTTP/2 (it chose ${socket.alpnProtocol || "no protocol"})`),
        );
      } else {
        resolve(socket);
      }
    });
  });
}

function connectProblem(host: string, error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED") return `nothing listens at ${host} (connection refused)`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `the name of ${host} cannot be resolved`;
  if (/CERT|VERIFY|SELF_SIGNED|UNABLE_TO/.test(code))
    return `the certificate of ${host} is not trusted: ${error.message}`;
  return `TLS with ${host} failed: ${error.message || code}`;
}

/** A name for messages, and the limit in time, of everything done in `work`. @param abort  lets go what is open */
export async function within<T>(
  target: ApiTarget,
  what: string,
  work: Promise<T>,
  abort: () => void,
): Promise<T> {
  const limitMs = target.timeoutMs ?? defaultTimeoutMs;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ClientError(`${what}: no end after ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    abort();
    work.catch(() => {}); // it may still fail after the time is up
  }
}

export function authorization(target: ApiTarget): Record<string, string> {
  return target.token === undefined ? {} : { authorization: `Bearer ${target.token}` };
}

export interface Upgraded {
  readonly transport: Duplex;
  readonly answer: IncomingMessage;
}

/**
 * Asks to switch protocols on a connection of its own.
 * @param headers  with repeated values as lists
 * @throws ClientError with the server's own words when it answers anything but 101
 */
export async function upgrade(
  target: ApiTarget,
  method: "GET" | "POST",
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
): Promise<Upgraded> {
  const socket = await connectTls(target, undefined);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method,
      path,
      createConnection: () => socket,
      headers: {
        host: new URL(target.url).host,
        connection: "Upgrade",
        ...authorization(target),
        ...headers,
      },
    });
    request.on("upgrade", (answer, transport, head) => {
      if (head.length > 0) transport.unshift(head);
      resolve({ transport, answer });
    });
    request.on("response", (answer) => {
      readText(answer).then(
        (text) => reject(refusal(`${method} ${withoutQuery(path)}`, answer.statusCode ?? 0, text)),
        reject,
      );
    });
    request.on("error", (error) =>
      reject(new ClientError(`${method} ${withoutQuery(path)}: ${error.message}`)),
    );
    request.end();
  });
}

/** The server's refusal: the message of its Status, else the beginning of its text. */
export function refusal(what: string, status: number, text: string): ClientError {
  let message = text.trim().slice(0, 200);
  try {
    message = textAt(parseJson(text), "message") || message;
  } catch {
    // Not JSON: the text speaks for itself.
  }
  return new ClientError(`${what} was answered with ${status}: ${message}`, status);
}

export async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Queries may carry commands and tokens; messages name the path alone. */
export function withoutQuery(path: string): string {
  return path.split("?", 1)[0]!;
}
