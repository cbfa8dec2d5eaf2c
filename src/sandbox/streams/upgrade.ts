import type { Duplex } from "node:stream";
import { type HeaderLines, linesOf } from "../auth.ts";
import type { Call } from "../call.ts";
import { ApiError, badRequest } from "../errors.ts";
import { acceptHead, readProtocols } from "../websocket/handshake.ts";

/** A request that asks to leave HTTP. Until `accept` is called it can still be refused as any other. */
export interface UpgradeCall extends Call {
  /** The connection from its 101 on; what came behind the request's head is put back into it. */
  accept(head: string): Duplex;
}

/** Which ways of streaming the sandbox offers; a server without WebSocket shows how clients fall back. */
export interface UpgradeKinds {
  readonly websocket: boolean;
  readonly spdy: boolean;
}

export type Upgrade =
  | { readonly kind: "websocket"; readonly protocol: string; readonly transport: Duplex }
  | { readonly kind: "spdy"; readonly protocol: string; readonly transport: Duplex };

export interface Offer {
  /** Subprotocols of WebSocket, best first. */
  readonly websocket: readonly string[];
  /** Values of X-Stream-Protocol-Version, best first. */
  readonly spdy: readonly string[];
}

/**
 * Switches protocols, if client and sandbox agree on one.
 * @throws ApiError BadRequest when it is no such upgrade, Forbidden when no protocol is common
 */
export function acceptUpgrade(call: UpgradeCall, offer: Offer, kinds: UpgradeKinds): Upgrade {
  const wanted = (linesOf(call.headers, "upgrade")[0] ?? "").toLowerCase();
  if (wanted === "websocket" && kinds.websocket) return acceptWebSocket(call, offer.websocket);
  if (wanted === "spdy/3.1" && kinds.spdy) return acceptSpdy(call, offer.spdy);
  throw badRequest("Upgrade request required");
}

function acceptWebSocket(call: UpgradeCall, spoken: readonly string[]): Upgrade {
  const key = linesOf(call.headers, "sec-websocket-key")[0];
  if (key === undefined || linesOf(call.headers, "sec-websocket-version")[0] !== "13") {
    throw badRequest("the WebSocket handshake lacks its key or version 13");
  }
  const { protocols } = readProtocols(linesOf(call.headers, "sec-websocket-protocol"));
  const protocol = spoken.find((candidate) => protocols.includes(candidate));
  if (protocol === undefined) throw noCommonProtocol(protocols, spoken);
  return { kind: "websocket", protocol, transport: call.accept(acceptHead(key, protocol)) };
}

function acceptSpdy(call: UpgradeCall, spoken: readonly string[]): Upgrade {
  const offered = offeredStreamProtocols(call.headers);
  const protocol = spoken.find((candidate) => offered.includes(candidate));
  if (protocol === undefined) throw noCommonProtocol(offered, spoken);
  const head = [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    `X-Stream-Protocol-Version: ${protocol}`,
    "\r\n",
  ].join("\r\n");
  return { kind: "spdy", protocol, transport: call.accept(head) };
}

/** kubectl sends a line a protocol; others join them by commas. */
function offeredStreamProtocols(headers: HeaderLines): string[] {
  return linesOf(headers, "x-stream-protocol-version")
    .flatMap((line) => line.split(","))
    .map((word) => word.trim());
}

function noCommonProtocol(offered: readonly string[], spoken: readonly string[]): ApiError {
  const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${spoken.join(" ")}]`;
  return new ApiError(403, "Forbidden", message, {});
}
