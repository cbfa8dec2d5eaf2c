import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { SpdySession, type SpdyStream } from "../spdy/session.ts";
import { WebSocketBytes } from "../websocket/connection.ts";
import type { Upgrade } from "./upgrade.ts";

/** What port-forward may be asked for (client-go tools/portforward). */
export const portForwardOffer = {
  websocket: ["SPDY/3.1+portforward.k8s.io"],
  spdy: ["portforward.k8s.io"],
};

/**
 * Carries TCP connections to the pod: two streams each, one for errors and one for data, tied by their requestID
 * (kubelet pkg/kubelet/server/portforward/httpstream.go).
 * @param ports  the pod's port → the port on this machine that stands for it
 */
export function servePortForward(
  upgrade: Upgrade,
  ports: ReadonlyMap<number, number>,
  onClose: () => void,
): void {
  const transport =
    upgrade.kind === "spdy" ? upgrade.transport : new WebSocketBytes(upgrade.transport, "server");
  const waiting = new Map<string, SpdyStream>();
  new SpdySession(transport, {
    role: "server",
    onStream: (stream) => {
      const id = stream.headers.requestid ?? "";
      if (stream.headers.streamtype === "error") {
        stream.resume();
        waiting.set(id, stream);
      } else {
        const errors = waiting.get(id);
        waiting.delete(id);
        if (errors === undefined) stream.destroy();
        else forward(stream, errors, ports);
      }
    },
    onClose: () => {
      transport.destroy();
      onClose();
    },
  });
}

function forward(data: SpdyStream, errors: Duplex, ports: ReadonlyMap<number, number>): void {
  const port = Number(data.headers.port);
  const local = ports.get(port);
  if (local === undefined) {
    refuse(data, errors, port);
    return;
  }
  const connection = connect({ host: "127.0.0.1", port: local, allowHalfOpen: true });
  data.pipe(connection);
  connection.pipe(data);
  connection.on("error", () => refuse(data, errors, port));
  connection.on("close", () => errors.end());
  data.on("close", () => {
    if (!connection.readableEnded) connection.destroy();
  });
}

function refuse(data: Duplex, errors: Duplex, port: number): void {
  if (!errors.writableEnded) {
    errors.end(
      `error forwarding port ${port} to pod, uid : failed to connect to localhost:${port} inside namespace, IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused`,
    );
  }
  data.end();
  data.resume();
}
