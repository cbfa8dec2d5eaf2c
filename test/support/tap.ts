import { once } from "node:events";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";

/** What one connection through a tap carried, decrypted. */
export interface Tapped {
  readonly fromClient: Buffer[];
  readonly fromServer: Buffer[];
}

export interface Tap {
  readonly port: number;
  readonly connections: readonly Tapped[];
  close(): void;
}

/**
 * Stands in front of a TLS server, ends TLS, makes it anew with the same ALPN and SNI, and keeps what passes.
 * @param to  asked at each connection
 */
export async function startTap(secret: { cert: string; key: string }, to: () => number): Promise<Tap> {
  const connections: Tapped[] = [];
  const sockets = new Set<tls.TLSSocket>();
  const server = tls.createServer({ ...secret, ALPNProtocols: ["h2", "http/1.1"] }, (client) => {
    const tapped: Tapped = { fromClient: [], fromServer: [] };
    connections.push(tapped);
    const { alpnProtocol } = client;
    const servername =
      "servername" in client && typeof client.servername === "string" ? client.servername : "";
    const target = tls.connect({
      port: to(),
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ...(alpnProtocol && { ALPNProtocols: [alpnProtocol] }),
      ...(servername !== "" && { servername }),
    });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
    }
    client.on("data", (chunk: Buffer) => tapped.fromClient.push(chunk));
    target.on("data", (chunk: Buffer) => tapped.fromServer.push(chunk));
    client.pipe(target);
    target.pipe(client);
    client.on("close", () => target.destroy());
    target.on("close", () => client.destroySoon());
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
