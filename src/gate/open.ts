import type { SecureContext } from "node:tls";
import type { LaneFacts, ReasonCode, Tell } from "../events/index.ts";
import type { Backend, Bind, Frontend } from "../model/index.ts";
import type { Guard } from "../policy/index.ts";
import { acceptTls, type Connection, type NodeConnection } from "../socket/index.ts";
import type { PoolServer } from "../upstream/index.ts";
import { type AlpnChoice, chooseAlpn } from "./alpn.ts";
import { hearClientHello } from "./hear.ts";
import type { Destination, Router } from "./route.ts";
import type { ServerLeg } from "./server-leg.ts";

/** One bind of one frontend, prepared for the lanes that come in by it. */
export interface Entrance {
  readonly frontend: Frontend;
  readonly bind: Bind;
  /** The bind's name, or its number from 1, as HAProxy logs it. */
  readonly bindLabel: string;
  readonly route: Router;
  /** The certificate for a server name; undefined: there is none, and strict-sni is set. */
  contextFor(serverName: string | undefined): SecureContext | undefined;
  guardsFor(backend: Backend): readonly Guard[];
  /** Open lanes of the frontend, over all its binds. */
  readonly open: { count: number };
}

/** What the opening of a lane works on. */
export interface Approach {
  readonly raw: NodeConnection;
  readonly entrance: Entrance;
  readonly facts: LaneFacts;
  readonly tell: Tell;
  /** Fires when the lane is given up: from outside, or because its client left. */
  readonly gone: AbortSignal;
  /**
   * The client is paused until the relay stands; what it does is kept.
   * @param halfClosed  a client that has sent FIN may still be served (mode tcp)
   */
  wait(connection: Connection, halfClosed: boolean): void;
  /** The route is known: from here on there is an upstream half. */
  routed(destination: Destination | undefined): ServerLeg;
}

/** Both halves, ready for a relay. The server's connection is in the ServerLeg, or its failure. */
export interface Opened {
  readonly client: Connection;
  readonly protocol: "h2" | "http/1.1" | "tcp";
  /** Bytes that were read ahead and belong to the server. */
  readonly initial: Buffer;
}

/** A client that has not finished its TLS handshake by then is cut, unless `timeout client-hs` says otherwise. */
const HANDSHAKE_MS_DEFAULT = 10_000;
const NOTHING = Buffer.alloc(0);
// A TLS alert record: fatal, unrecognized_name (RFC 6066 §3).
const UNRECOGNIZED_NAME = Buffer.from([0x15, 3, 3, 0, 2, 2, 112]);

/** What is known of a client before its server is dialled. */
interface Introduction {
  readonly initial: Buffer;
  readonly serverName: string | undefined;
  readonly alpn: readonly string[] | undefined;
}

/**
 * The first half of a lane's life, in order: ClientHello, route, certificate, dial, TLS.
 * @returns undefined when the client was refused or left; that is told, and its connection closed
 */
export async function openLane(approach: Approach): Promise<Opened | undefined> {
  const client = await introduce(approach);
  if (client === undefined) return undefined;
  const { entrance, facts, raw } = approach;
  facts.serverName = client.serverName;
  const destination = entrance.route(client.serverName);
  const leg = approach.routed(destination);
  if (
    destination?.tls === "passthrough" ||
    (entrance.frontend.mode === "tcp" && entrance.bind.tls === undefined)
  ) {
    approach.wait(raw, true);
    await leg.dial([]);
    return { client: raw, protocol: "tcp", initial: client.initial };
  }
  approach.wait(raw, false);
  if (entrance.bind.tls === undefined) {
    await leg.dial(["http/1.1"]);
    return { client: raw, protocol: "http/1.1", initial: NOTHING };
  }
  return terminate(approach, client, destination?.byRule === true, leg);
}

/** Reads the ClientHello where the bind needs one. */
async function introduce(approach: Approach): Promise<Introduction | undefined> {
  const { bind, frontend } = approach.entrance;
  if (bind.tls === undefined && bind.inspect === "none") {
    return { initial: NOTHING, serverName: undefined, alpn: undefined };
  }
  const limitMs = bind.inspectDelayMs ?? handshakeMs(frontend);
  const heard = await hearClientHello(approach.raw, limitMs, approach.gone);
  if (heard === undefined) return undefined;
  if (heard.kind === "heard") return { initial: heard.initial, ...heard.hello };
  tellHandshake(approach, heard.reason, heard.detail, heard.silent);
  return undefined;
}

/**
 * Ends the client's TLS. Meanwhile its server is dialled where the client has shown that it knows a name of this gate;
 * one that does not, or that has still to show a certificate, causes nothing behind the gate before it has shaken hands.
 */
async function terminate(
  approach: Approach,
  client: Introduction,
  isNamed: boolean,
  leg: ServerLeg,
): Promise<Opened | undefined> {
  const { bind, frontend, contextFor } = approach.entrance;
  const context = contextFor(client.serverName);
  if (context === undefined) return refuseName(approach, client.serverName);
  const http = frontend.mode === "http";
  const server = leg.pick();
  const asksCertificate = bind.tls !== undefined && bind.tls.clientAuth !== "none";
  const choice = chooseProtocol(approach.entrance, client.alpn, server, asksCertificate);
  const early = choice.askServer || (isNamed && !asksCertificate);
  let dialling = early ? leg.dial(choice.offer, server) : undefined;
  // Awaited below. Until then a rejection (a mistake of ours) would be an unheard one, which ends the process.
  dialling?.catch(() => {});
  let answer = choice.answer;
  if (choice.askServer && (await dialling) !== undefined) answer = leg.alpn ?? "http/1.1";
  const secured = await shakeHands(approach, client.initial, context, answer);
  if (secured === undefined) return undefined;
  approach.facts.tlsVersion = secured.tls?.protocol;
  approach.wait(secured, !http);
  dialling ??= leg.dial(choice.offer, server);
  await dialling;
  if (leg.isLeft) await leg.dial(choice.offer);
  if (!http) return { client: secured, protocol: "tcp", initial: NOTHING };
  const protocol = secured.tls?.alpn === "h2" ? "h2" : "http/1.1";
  approach.facts.alpn = protocol;
  // The server changed its mind since it was asked: it cannot serve this client, and must not be fed the wrong protocol.
  if (leg.connection !== undefined && (leg.alpn === "h2") !== (protocol === "h2")) leg.mismatch();
  return { client: secured, protocol, initial: NOTHING };
}

function chooseProtocol(
  { bind, frontend }: Entrance,
  offers: readonly string[] | undefined,
  server: PoolServer | undefined,
  asksCertificate: boolean,
): AlpnChoice {
  const bindAlpn = bind.tls?.alpn ?? [];
  if (frontend.mode === "tcp") return tunnelAlpn(offers, bindAlpn);
  // Where the server cannot be asked yet, HTTP/1.1 is what all of them speak.
  return chooseAlpn(offers, bindAlpn, server?.alpn ?? (asksCertificate ? ["http/1.1"] : undefined));
}

/** Mode tcp behind TLS: the bind's own list, and nothing to do with the server's. */
function tunnelAlpn(offers: readonly string[] | undefined, bindAlpn: readonly string[]): AlpnChoice {
  const answer = bindAlpn.find((protocol) => offers?.includes(protocol) === true);
  return { answer, offer: [], askServer: false };
}

async function shakeHands(
  approach: Approach,
  initial: Buffer,
  context: SecureContext,
  answer: string | undefined,
): Promise<NodeConnection | undefined> {
  const late = new AbortController();
  const giveUp = () => late.abort();
  const ms = handshakeMs(approach.entrance.frontend);
  const clientCertificate = approach.entrance.bind.tls?.clientAuth ?? "none";
  const timer = setTimeout(giveUp, ms);
  approach.gone.addEventListener("abort", giveUp, { once: true });
  try {
    const options = { context, alpn: answer, clientCertificate };
    return await acceptTls(approach.raw, initial, options, late.signal);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ABORT_ERR")
      tellHandshake(approach, "handshake_timeout", `not finished within ${ms} ms`, false);
    else if (code === "ECONNABORTED" || code === "ECONNRESET" || code === "EPIPE") {
      tellHandshake(approach, "handshake_closed", "the client closed the connection", false);
    } else tellHandshake(approach, "handshake_failed", opensslWords(message), false);
    return undefined;
  } finally {
    clearTimeout(timer);
    approach.gone.removeEventListener("abort", giveUp);
  }
}

/** strict-sni: TLS has a word for it. */
function refuseName(approach: Approach, serverName: string | undefined): undefined {
  approach.raw.write(UNRECOGNIZED_NAME);
  const detail =
    serverName === undefined ? "the client sent no server name" : `no certificate for ${serverName}`;
  tellHandshake(approach, "unknown_server_name", detail, false);
  return undefined;
}

function tellHandshake(approach: Approach, reason: ReasonCode, detail: string, silent: boolean): void {
  const { facts, entrance } = approach;
  approach.tell({
    kind: "handshake",
    clientAddress: facts.clientAddress,
    clientPort: facts.clientPort,
    acceptedAtMs: facts.acceptedAtMs,
    frontend: facts.frontend,
    bind: entrance.bindLabel,
    serverName: facts.serverName,
    reason,
    detail,
    silent,
  });
}

function handshakeMs(frontend: Frontend): number {
  return frontend.timeouts.handshakeMs ?? HANDSHAKE_MS_DEFAULT;
}

/** `80…:error:0A000086:SSL routines:f:certificate verify failed:file.c:1:` → `certificate verify failed`. */
function opensslWords(message: string): string {
  const parts = message.trim().split(":");
  return parts[1] === "error" ? (parts[5] ?? message) : message;
}
