import { createHash, randomBytes } from "node:crypto";

/** RFC 6455 §1.3. */
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A token may travel as a subprotocol (apiserver pkg/authentication/request/websocket/protocol.go). */
const bearerProtocol = "base64url.bearer.authorization.k8s.io.";

export function acceptFor(key: string): string {
  return createHash("sha1")
    .update(key + acceptSuffix)
    .digest("base64");
}

export function newKey(): string {
  return randomBytes(16).toString("base64");
}

/** What a client offers in Sec-WebSocket-Protocol. */
export interface OfferedProtocols {
  readonly protocols: readonly string[];
  /** The bearer token that stood among them. */
  readonly token?: string;
}

export function readProtocols(lines: readonly string[]): OfferedProtocols {
  const offered = lines.flatMap((line) => line.split(",")).map((word) => word.trim());
  const bearer = offered.find((word) => word.startsWith(bearerProtocol));
  const protocols = offered.filter((word) => word !== "" && !word.startsWith(bearerProtocol));
  if (bearer === undefined) return { protocols };
  return { protocols, token: Buffer.from(bearer.slice(bearerProtocol.length), "base64url").toString() };
}

/** The 101 that accepts a WebSocket, with the subprotocol chosen; never the token's. */
export function acceptHead(key: string, protocol: string): string {
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptFor(key)}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
    "\r\n",
  ].join("\r\n");
}
