import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** The port at which a pod of the sandbox answers HTTP, and the one at which it echoes what it gets. */
export const podHttpPort = 80;
export const podEchoPort = 7;

export interface PodPorts {
  /** Pod port → port on 127.0.0.1. */
  readonly ports: Map<number, number>;
  close(): Promise<void>;
}

/** What the pods' containers listen with: one HTTP server and one echo server for all of them. */
export async function startPodPorts(): Promise<PodPorts> {
  const http = createHttpServer((request, response) => {
    response.sendDate = false; // the same request brings the same bytes
    response.setHeader("content-type", "text/plain");
    response.end(`hello from the sandbox: ${request.method} ${request.url}\n`);
  });
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  const servers: readonly Server[] = [http, echo];
  const sockets = new Set<Socket>();
  for (const server of servers) {
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
  }
  const ports = new Map([
    [podHttpPort, await listen(http)],
    [podEchoPort, await listen(echo)],
  ]);
  return {
    ports,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map(closeServer));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(portOf(server.address())));
  });
}

export function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
