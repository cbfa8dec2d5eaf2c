import { Duplex } from "node:stream";
import {
  controlFrame,
  controlType,
  dataFrame,
  type Frame,
  FrameReader,
  flagFin,
  resetCode,
} from "./frames.ts";
import { HeaderCompression, type SpdyHeaders } from "./headers.ts";

/** Largest payload of one DATA frame we send; large writes are cut, so that streams take turns. */
const dataBytesMax = 32_768;

export interface SpdySessionOptions {
  /** Clients open odd streams, servers even ones (§2.3.2). */
  readonly role: "client" | "server";
  /** A stream the peer opened; SYN_REPLY has gone out already. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Called once, when the connection under it has ended; `error` when it broke or the peer broke the rules. */
  readonly onClose?: (error?: Error) => void;
}

/**
 * One SPDY/3.1 connection over any byte stream. Like the library Kubernetes uses on both ends (moby/spdystream) it does
 * not take part in SPDY's window flow control: windows are neither sent nor obeyed. A stream nobody reads stops the
 * whole connection once its buffer is full.
 */
export class SpdySession {
  readonly streams = new Map<number, SpdyStream>();
  private readonly reader = new FrameReader();
  private readonly inbound = new HeaderCompression();
  private readonly outbound = new HeaderCompression();
  private readonly full = new Set<number>();
  private readonly transport: Duplex;
  private readonly options: SpdySessionOptions;
  private nextId: number;
  private lastSeen = 0;
  private closed = false;

  constructor(transport: Duplex, options: SpdySessionOptions) {
    this.transport = transport;
    this.options = options;
    this.nextId = options.role === "client" ? 1 : 2;
    transport.on("data", (chunk: Buffer) => this.receive(chunk));
    transport.on("end", () => this.finish());
    transport.on("close", () => this.finish());
    transport.on("error", (error: Error) => this.finish(error));
  }

  /** Opens a stream of our own. */
  open(headers: SpdyHeaders): SpdyStream {
    const id = this.nextId;
    this.nextId += 2;
    const stream = new SpdyStream(id, headers, this);
    this.streams.set(id, stream);
    const head = Buffer.alloc(10); // stream, associated stream, priority and slot
    head.writeUInt32BE(id);
    this.send(controlFrame(controlType.synStream, 0, Buffer.concat([head, this.outbound.compress(headers)])));
    return stream;
  }

  ping(id: number): void {
    this.send(controlFrame(controlType.ping, 0, words(id)));
  }

  /** Says goodbye and ends the connection once what was written has gone out. */
  close(): void {
    if (this.closed) return;
    this.send(controlFrame(controlType.goaway, 0, words(this.lastSeen, 0)));
    this.transport.end();
  }

  /** Writes a frame; true when the connection takes more at once. */
  send(frame: Buffer): boolean {
    return this.closed || this.transport.destroyed || !this.transport.writable || this.transport.write(frame);
  }

  /** Calls back once the connection takes more, or is gone. */
  whenWritable(callback: () => void): void {
    if (this.closed || !this.transport.writableNeedDrain) callback();
    else this.transport.once("drain", callback);
  }

  /** A stream's reader fell behind (`full`) or caught up. */
  hold(id: number, full: boolean): void {
    if (full) this.full.add(id);
    else this.full.delete(id);
    if (this.full.size > 0) this.transport.pause();
    else if (this.transport.isPaused()) this.transport.resume();
  }

  forget(id: number): void {
    this.streams.delete(id);
    this.hold(id, false);
  }

  private receive(chunk: Buffer): void {
    if (this.closed) return;
    try {
      for (const frame of this.reader.read(chunk)) this.handle(frame);
    } catch (error) {
      this.transport.destroy();
      this.finish(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private handle(frame: Frame): void {
    if (frame.kind === "data") this.handleData(frame.stream, frame.payload, frame.fin);
    else this.handleControl(frame.type, frame.flags, frame.payload);
  }

  private handleControl(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case controlType.synStream:
        this.handleOpen(payload, flags);
        break;
      case controlType.synReply:
        this.handleReply(payload, flags);
        break;
      case controlType.headers:
        this.inbound.decompress(payload.subarray(4));
        break;
      case controlType.rstStream:
        this.streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.resetByPeer();
        break;
      case controlType.ping:
        this.handlePing(payload);
        break;
      default: // SETTINGS, GOAWAY and WINDOW_UPDATE ask for nothing that a connection of our kind would do.
        break;
    }
  }

  private handleOpen(payload: Buffer, flags: number): void {
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = this.inbound.decompress(payload.subarray(10));
    if (this.options.onStream === undefined) {
      this.send(controlFrame(controlType.rstStream, 0, words(id, resetCode.refusedStream)));
      return;
    }
    this.lastSeen = id;
    const stream = new SpdyStream(id, headers, this);
    this.streams.set(id, stream);
    this.send(controlFrame(controlType.synReply, 0, Buffer.concat([words(id), this.outbound.compress({})])));
    this.options.onStream(stream);
    if ((flags & flagFin) !== 0) stream.receive(undefined);
  }

  private handleReply(payload: Buffer, flags: number): void {
    this.inbound.decompress(payload.subarray(4));
    const stream = this.streams.get(payload.readUInt32BE(0) & 0x7fffffff);
    if ((flags & flagFin) !== 0) stream?.receive(undefined);
  }

  private handleData(id: number, payload: Buffer, fin: boolean): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return; // late data of a stream that we have closed
    if (payload.length > 0) stream.receive(payload);
    if (fin) stream.receive(undefined);
  }

  private handlePing(payload: Buffer): void {
    const isOurs = payload.readUInt32BE(0) % 2 === (this.options.role === "client" ? 1 : 0);
    if (!isOurs) this.send(controlFrame(controlType.ping, 0, payload));
  }

  private finish(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    for (const stream of this.streams.values()) stream.abandon();
    this.streams.clear();
    if (this.transport.writable) this.transport.end();
    this.options.onClose?.(error);
  }
}

/** One stream: readable until the peer's FIN, writable until ours; destroying it early sends RST_STREAM. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  private readonly session: SpdySession;
  private peerDone = false;
  private selfDone = false;

  constructor(id: number, headers: SpdyHeaders, session: SpdySession) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.session = session;
    this.on("error", () => {}); // a broken connection is told once, by the session
  }

  /** What the peer sent; undefined is its FIN. */
  receive(payload: Buffer | undefined): void {
    if (this.peerDone) return;
    if (payload === undefined) {
      this.peerDone = true;
      this.push(null);
    } else if (!this.push(payload)) {
      this.session.hold(this.id, true);
    }
  }

  resetByPeer(): void {
    this.peerDone = true;
    this.selfDone = true;
    this.destroy(new Error("the peer reset the stream"));
  }

  /** The connection is gone. What has come in whole may still be read. */
  abandon(): void {
    this.selfDone = true;
    if (!this.peerDone) this.destroy(new Error("the connection was lost"));
    else if (!this.writableEnded) this.end();
  }

  override _read(): void {
    this.session.hold(this.id, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    for (let at = 0; at < chunk.length; at += dataBytesMax) {
      this.session.send(dataFrame(this.id, chunk.subarray(at, at + dataBytesMax), false));
    }
    this.session.whenWritable(done);
  }

  override _final(done: () => void): void {
    this.selfDone = true;
    this.session.send(dataFrame(this.id, Buffer.alloc(0), true));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.selfDone || !this.peerDone) {
      this.session.send(controlFrame(controlType.rstStream, 0, words(this.id, resetCode.cancel)));
    }
    this.session.forget(this.id);
    done(error);
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, 4 * index);
  });
  return bytes;
}
