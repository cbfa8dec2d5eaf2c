import * as net from "node:net";
import type { GateEvent, LaneFacts } from "../../../events/index.ts";
import { listen, NodeConnection } from "../../../socket/index.ts";
import type { Relay, RelayContext } from "../../relay.ts";
import { createHttp2Relay } from "../relay.ts";

/** What crossed the gate on one lane, each direction on each leg. */
export interface Recording {
  readonly fromClient: Buffer[];
  readonly toServer: Buffer[];
  readonly fromServer: Buffer[];
  readonly toClient: Buffer[];
}

/** A gate on loopback, plain TCP with prior knowledge of h2: what a lane does, without TLS and routes. */
export interface TestGate {
  readonly port: number;
  readonly recordings: Recording[];
  readonly relays: Relay[];
  readonly events: GateEvent[];
  close(): void;
}

class RecordingConnection extends NodeConnection {
  readonly out: Buffer[] = [];

  override write(chunk: Buffer): boolean {
    this.out.push(Buffer.from(chunk));
    return super.write(chunk);
  }
}

/** As a lane does: a peer that does not close is cut. */
const LINGER_MS = 500;

const NO_TIMEOUTS: RelayContext["timeouts"] = {
  clientMs: undefined,
  serverMs: undefined,
  httpRequestMs: undefined,
  httpKeepAliveMs: undefined,
  tunnelMs: undefined,
  clientFinMs: undefined,
  serverFinMs: undefined,
};

/** @param serverPort  undefined: no server can be reached */
export async function startGate(
  serverPort: number | undefined,
  options: Partial<RelayContext> = {},
): Promise<TestGate> {
  const recordings: Recording[] = [];
  const relays: Relay[] = [];
  const events: GateEvent[] = [];
  const open = new Set<NodeConnection>();
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    onError: () => {},
    onAccept(raw) {
      const client = new RecordingConnection(raw.release());
      const server = serverPort === undefined ? undefined : dial(serverPort);
      serveLane(client, server, { recordings, relays, events, open, options });
    },
  });
  return {
    port: listener.port,
    recordings,
    relays,
    events,
    close() {
      listener.close();
      for (const connection of open) connection.destroy();
    },
  };
}

function dial(port: number): RecordingConnection {
  return new RecordingConnection(
    net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true }),
  );
}

interface Kept {
  readonly recordings: Recording[];
  readonly relays: Relay[];
  readonly events: GateEvent[];
  readonly open: Set<NodeConnection>;
  readonly options: Partial<RelayContext>;
}

function serveLane(client: RecordingConnection, server: RecordingConnection | undefined, kept: Kept): void {
  const recording = { fromClient: [], toServer: server?.out ?? [], fromServer: [], toClient: client.out };
  kept.recordings.push(recording);
  const destroy = () => {
    client.destroy();
    server?.destroy();
  };
  const context: RelayContext = {
    facts: FACTS,
    client,
    server,
    noServer: "dial_refused",
    guards: [],
    timeouts: NO_TIMEOUTS,
    headBytesMax: 65_536,
    forwardedFor: "192.0.2.7",
    kubernetes: true,
    debug: false,
    tell: (event) => kept.events.push(event),
    counts: () => ({ process: 1, frontend: 1, backend: 1, server: 1 }),
    now: () => performance.now(),
    wallClock: () => Date.now(),
    wake: (atMs) => {
      const look = () => {
        const nextAtMs = relay.checkTimeouts(performance.now());
        if (Number.isFinite(nextAtMs)) context.wake(nextAtMs);
      };
      setTimeout(look, Math.ceil(atMs - performance.now())).unref();
    },
    redial: async () => undefined,
    becomeTunnel: () => {},
    failed: (error) => {
      throw error;
    },
    close: () => {
      client.end();
      server?.end();
      setTimeout(destroy, LINGER_MS).unref();
    },
    destroy,
    ...kept.options,
  };
  const relay = createHttp2Relay(context);
  kept.relays.push(relay);
  listenTo(client, recording.fromClient, {
    data: (chunk) => relay.clientData(chunk),
    drain: () => relay.clientDrain(),
    end: () => relay.clientEnd(),
    closed: (code) => {
      relay.clientClosed(code);
      destroy();
    },
  });
  kept.open.add(client);
  if (server === undefined) return;
  kept.open.add(server);
  listenTo(server, recording.fromServer, {
    data: (chunk) => relay.serverData(chunk),
    drain: () => relay.serverDrain(),
    end: () => relay.serverEnd(),
    closed: (code) => relay.serverClosed(code),
  });
}

function listenTo(connection: NodeConnection, record: Buffer[], handler: NodeConnection["handler"]): void {
  connection.handler = {
    ...handler,
    data(chunk) {
      // A copy: the relay may edit the chunk in place.
      record.push(Buffer.from(chunk));
      handler.data(chunk);
    },
  };
  connection.resume();
}

const FACTS: LaneFacts = {
  laneId: 1,
  clientAddress: "192.0.2.7",
  clientPort: 50123,
  acceptedAtMs: 1_790_000_000_000,
  frontend: "kubernetes",
  frontendMode: "http",
  tls: false,
  serverName: undefined,
  alpn: "h2",
  backend: "apiservers",
  server: "one",
  queueMs: 0,
  connectMs: 1,
  retries: 0,
};

/** A frame as a test reads it. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const PREFACE_BYTES = 24;

/** Cuts bytes into frames without any of the gate's own code. */
export function framesOf(chunks: readonly Buffer[] | Buffer, hasPreface = false): Frame[] {
  const bytes = Buffer.isBuffer(chunks) ? chunks : Buffer.concat(chunks);
  const frames: Frame[] = [];
  let at = hasPreface ? PREFACE_BYTES : 0;
  while (at + 9 <= bytes.length) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

const NAMES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
];

/** A frame in a line: `DATA 1 flags 1 68656c6c6f`. */
export function spell(frame: Frame): string {
  const name = NAMES[frame.type] ?? `type ${frame.type}`;
  return `${name} ${frame.stream} flags ${frame.flags} ${frame.payload.toString("hex")}`;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload.replaceAll(" ", ""), "hex") : payload;
  const bytes = Buffer.alloc(9 + body.length);
  bytes.writeUIntBE(body.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  body.copy(bytes, 9);
  return bytes;
}
