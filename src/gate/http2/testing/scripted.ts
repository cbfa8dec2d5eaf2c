import type { Guard } from "../../../policy/guard.ts";
import { HpackDecoder } from "../../../wire/http2/index.ts";
import type { Relay, RelayContext } from "../../relay.ts";
import { FakeLane } from "../../testing.ts";
import { createHttp2Relay } from "../relay.ts";
import { type Frame, frame, framesOf } from "./loopback.ts";

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const SETTINGS = frame(4, 0, 0);
/** The client's first SETTINGS with push off, as all that is alive send it, and the server's with its own cap. */
export const CLIENT_SETTINGS = frame(4, 0, 0, "0002 00000000");
export const SERVER_SETTINGS = frame(4, 0, 0, "0003 00000064");

export type Field = readonly [name: string, value: string];

export const GET: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":authority", "api.example.com"],
  [":path", "/api/v1/pods"],
];
export const POST: readonly Field[] = [[":method", "POST"], ...GET.slice(1)];

export const OK: readonly Field[] = [[":status", "200"]];
/** The fields of `GET` as `atServer` spells them. */
export const HEAD = ":method: GET | :scheme: https | :authority: api.example.com | :path: /api/v1/pods";

/** A request that `misdirected` refuses, since it is for another cluster. */
export const OTHER: readonly Field[] = GET.map(([name, value]) =>
  name === ":authority" ? [name, "other.example.com"] : [name, value],
);
export const OTHER_POST: readonly Field[] = [[":method", "POST"], ...OTHER.slice(1)];
export const misdirected: Guard = ({ authority }) =>
  authority === "other.example.com" ? { kind: "refuse", reason: "wrong_authority" } : { kind: "pass" };

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest = bytes.length - 127;
  const length = rest < 128 ? [127, rest] : [127, (rest & 0x7f) | 0x80, rest >> 7];
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A block of literals with names of their own. @param how  0x00 without indexing, 0x40 with, 0x10 never */
export function block(fields: readonly Field[], how = 0x00): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([how]), text(name), text(value)]));
}

/** HEADERS that are whole. */
export function headers(
  stream: number,
  fields: readonly Field[] | Buffer,
  options: { end?: boolean; how?: number } = {},
): Buffer {
  const payload = Buffer.isBuffer(fields) ? fields : block(fields, options.how);
  return frame(1, (options.end === false ? 0 : 1) | 4, stream, payload);
}

export function data(stream: number, body: string | Buffer, end = true): Buffer {
  return frame(0, end ? 1 : 0, stream, Buffer.isBuffer(body) ? body : Buffer.from(body));
}

const NAMES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH",
  "PING",
  "GOAWAY",
  "WINDOW",
  "MORE",
];

/** A relay between two peers whose every byte the test says, on a lane without sockets or clock. */
export class Scripted {
  readonly lane: FakeLane;
  readonly relay: Relay;
  #clientAt = 0;
  #serverAt = 0;
  readonly #responses = new HpackDecoder(1 << 20);
  readonly #requests = new HpackDecoder(1 << 20);

  constructor(options: Partial<RelayContext> & { readonly local?: boolean } = {}) {
    this.lane = new FakeLane(options);
    if (options.local === true) this.lane.server = undefined;
    this.relay = createHttp2Relay(this.lane);
  }

  /** Both sides' first words, and what they became is read away. */
  begun(): this {
    this.client(PREFACE, CLIENT_SETTINGS);
    this.server(SERVER_SETTINGS);
    this.atServer();
    this.atClient();
    return this;
  }

  client(...frames: Buffer[]): void {
    this.relay.clientData(Buffer.concat(frames));
  }

  server(...frames: Buffer[]): void {
    this.relay.serverData(Buffer.concat(frames));
  }

  /** What has come at the client since the last look, a line a frame. */
  atClient(): string[] {
    const frames = framesOf(this.lane.client.written).slice(this.#clientAt);
    this.#clientAt += frames.length;
    return frames.map((one) => describe(one, this.#responses));
  }

  atServer(): string[] {
    const frames = framesOf(this.lane.server?.written ?? [], true).slice(this.#serverAt);
    this.#serverAt += frames.length;
    return frames.map((one) => describe(one, this.#requests));
  }

  /** Requests told of: `GET /path 200 ----`. */
  ended(): string[] {
    return this.lane.events.flatMap((event) =>
      event.kind === "request"
        ? [`${event.method ?? "<BADREQ>"} ${event.target ?? "-"} ${event.status} ${event.termination}`]
        : [],
    );
  }
}

/** Blocks are decoded as the peer would; a block in several frames is not for this. */
function describe({ type, flags, stream, payload }: Frame, decoder: HpackDecoder): string {
  const name = `${NAMES[type] ?? type} ${stream}`;
  const ends = (flags & 1) !== 0;
  switch (type) {
    case 0:
      return `${name}${ends ? " end" : ""} ${payload.toString("latin1")}`.trimEnd();
    case 1: {
      const fields: string[] = [];
      const from = ((flags & 8) !== 0 ? 1 : 0) + ((flags & 0x20) !== 0 ? 5 : 0);
      const to = payload.length - ((flags & 8) !== 0 ? (payload[0] ?? 0) : 0);
      decoder.decode(payload, from, to, { field: (field) => fields.push(`${field.name}: ${field.value}`) });
      return `${name}${ends ? " end" : ""} ${fields.join(" | ")}`;
    }
    case 3:
      return `${name} code ${payload.readUInt32BE(0)}`;
    case 4:
      return ends ? `${name} ack` : `${name} ${payload.toString("hex")}`.trimEnd();
    case 6:
      return `${name}${ends ? " ack" : ""} ${payload.toString("hex")}`;
    case 7:
      return `${name} last ${payload.readUInt32BE(0)} code ${payload.readUInt32BE(4)}`;
    case 8:
      return `${name} +${payload.readUInt32BE(0)}`;
    default:
      return `${name} flags ${flags} ${payload.toString("hex")}`;
  }
}
