import type { Duplex } from "node:stream";
import { SpdySession } from "../spdy/session.ts";
import { WebSocketBytes } from "../websocket/connection.ts";
import { type ApiTarget, ClientError, readText, within } from "./connect.ts";
import { type StreamTransport, upgradeSpdy, upgradeWebSocket } from "./exec.ts";

export interface PortForward {
  /**
   * One TCP connection to a port of the pod: sends all bytes, then FIN, and reads until the pod's FIN.
   * @throws ClientError with the server's words when the pod does not listen there, or when the tunnel breaks
   */
  exchange(port: number, bytes: string | Buffer): Promise<Buffer>;
  close(): void;
}

/**
 * Opens a port-forward, as kubectl does: SPDY bare, or SPDY inside a WebSocket.
 * @param pod  `/api/v1/namespaces/NS/pods/NAME`
 */
export async function openPortForward(
  target: ApiTarget,
  pod: string,
  transport: StreamTransport = "websocket",
): Promise<PortForward> {
  const tunnel = await openTunnel(target, `${pod}/portforward`, transport);
  const session = new SpdySession(tunnel, { role: "client" });
  let requests = 0;
  return {
    exchange: (port, bytes) => {
      const id = requests;
      requests += 1;
      const work = exchange(session, port, id, bytes);
      return within(target, `the forwarded connection to port ${port}`, work, () => {});
    },
    close: () => {
      session.close();
      tunnel.destroy();
    },
  };
}

async function openTunnel(target: ApiTarget, path: string, transport: StreamTransport): Promise<Duplex> {
  if (transport === "spdy") return (await upgradeSpdy(target, path, ["portforward.k8s.io"])).transport;
  const upgraded = await upgradeWebSocket(target, path, "SPDY/3.1+portforward.k8s.io");
  return new WebSocketBytes(upgraded.transport, "client");
}

async function exchange(
  session: SpdySession,
  port: number,
  id: number,
  bytes: string | Buffer,
): Promise<Buffer> {
  const tie = { port: String(port), requestid: String(id) };
  const errors = session.open({ streamtype: "error", ...tie });
  errors.end();
  const data = session.open({ streamtype: "data", ...tie });
  data.end(bytes);
  try {
    const [problem, received] = await Promise.all([readText(errors), readBytes(data)]);
    if (problem !== "") throw new ClientError(problem);
    return received;
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError(
      `the port-forward broke: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function readBytes(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
