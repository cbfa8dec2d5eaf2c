import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Issued } from "../../src/pki/index.ts";

/** An upstream over TLS and HTTP/1.1 that misbehaves on demand. */
export interface ScriptedApi {
  readonly port: number;
  /** Paths asked, in order. */
  readonly asked: readonly string[];
  close(): void;
}

/**
 * Answers by path: `/404`, `/slow` (never), `/stream` (for ever), `/short` (its body ends early), `/drop` (closes
 * without an answer), `/junk` (no HTTP), `/secret-cookie`; anything else 200 with the name, the method and the length
 * of the request's body.
 */
export async function startScriptedApi(
  name: string,
  issued: Issued,
  answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {},
): Promise<ScriptedApi> {
  const asked: string[] = [];
  // Node's own opinion of a request without Host is not asked: that is the gate's to have.
  const options = { cert: issued.certificatePem, key: issued.keyPem, requireHostHeader: false };
  const server = createServer(options, (request, response) => {
    const path = (request.url ?? "").replace(/\?.*/, "");
    asked.push(path);
    const script = answers[path] ?? SCRIPTS[path];
    if (script !== undefined) return script(request, response);
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
    });
    request.on("end", () => response.end(`${name} ${request.method} ${length}\n`));
  });
  server.on("upgrade", (request, socket) => {
    asked.push(request.url ?? "");
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhi\n");
    socket.once("data", () => socket.end("bye\n"));
  });
  server.on("tlsClientError", () => {}); // checks that leave after the handshake
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const SCRIPTS: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  "/404": (_request, response) => response.writeHead(404).end("no such thing\n"),
  "/slow": () => {},
  "/stream": (_request, response) => {
    const timer = setInterval(() => response.write("tick\n"), 20);
    response.on("close", () => clearInterval(timer));
  },
  "/short": (_request, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("abc", () => response.destroy());
  },
  "/drop": (request) => request.socket.destroy(),
  "/junk": (request) => request.socket.end("this is not HTTP\r\n\r\n"),
};
