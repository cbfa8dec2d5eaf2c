import { Duplex } from "node:stream";
import {
  closeCode,
  encodeFrame,
  opcode,
  WebSocketError,
  type WebSocketFrame,
  WebSocketReader,
} from "./frames.ts";

export interface WebSocketHandlers {
  /** A whole message. Returning false stops reading until `resume` is called. */
  readonly onMessage: (payload: Buffer, isBinary: boolean) => unknown;
  /** Called once; `code` is the peer's close code, or 1006 when the connection ended without one (RFC 6455 §7.1.5). */
  readonly onClose?: (code: number, reason: string) => void;
}

const lostCode = 1006;

/** How long the peer has to answer our close frame before the connection is cut. */
const closeWaitMs = 2_000;

/** A WebSocket after its handshake, either end. Pings are answered; fragments are joined. */
export class WebSocketConnection {
  private readonly transport: Duplex;
  private readonly handlers: WebSocketHandlers;
  private readonly masks: boolean;
  private readonly reader: WebSocketReader;
  private fragments: Buffer[] = [];
  private fragmentsBinary = false;
  private state: "open" | "closing" | "closed" = "open";
  private timer: NodeJS.Timeout | undefined;

  constructor(transport: Duplex, role: "client" | "server", handlers: WebSocketHandlers) {
    this.transport = transport;
    this.handlers = handlers;
    this.masks = role === "client";
    this.reader = new WebSocketReader(role === "server");
    transport.on("data", (chunk: Buffer) => this.receive(chunk));
    transport.on("end", () => this.finish(lostCode, "the connection ended"));
    transport.on("close", () => this.finish(lostCode, "the connection was lost"));
    transport.on("error", (error: Error) => this.finish(lostCode, error.message));
  }

  /** Sends one binary message; true when the connection takes more at once. */
  send(payload: Buffer): boolean {
    return this.write({ fin: true, opcode: opcode.binary, payload });
  }

  ping(payload: Buffer = Buffer.alloc(0)): void {
    this.write({ fin: true, opcode: opcode.ping, payload });
  }

  /** Begins the closing handshake. */
  close(code: number = closeCode.normal, reason = ""): void {
    if (this.state !== "open") return;
    this.write(closeFrame(code, reason));
    this.state = "closing";
    this.timer = setTimeout(() => this.transport.destroy(), closeWaitMs);
  }

  whenWritable(callback: () => void): void {
    if (this.state === "closed" || !this.transport.writableNeedDrain) callback();
    else this.transport.once("drain", callback);
  }

  resume(): void {
    if (this.transport.isPaused()) this.transport.resume();
  }

  private write(frame: WebSocketFrame): boolean {
    if (this.state !== "open" || !this.transport.writable) return true;
    return this.transport.write(encodeFrame(frame, this.masks));
  }

  private receive(chunk: Buffer): void {
    if (this.state === "closed") return;
    try {
      for (const frame of this.reader.read(chunk)) this.handle(frame);
    } catch (error) {
      const code = error instanceof WebSocketError ? error.code : closeCode.protocolError;
      const reason = error instanceof Error ? error.message : String(error);
      this.write(closeFrame(code, reason));
      this.transport.end();
      this.finish(code, reason);
    }
  }

  private handle(frame: WebSocketFrame): void {
    if (frame.opcode === opcode.ping) return void this.write({ ...frame, opcode: opcode.pong });
    if (frame.opcode === opcode.pong) return;
    if (frame.opcode === opcode.close) {
      this.handleClose(frame.payload);
      return;
    }
    const continues = frame.opcode === opcode.continuation;
    if (continues !== this.fragments.length > 0) {
      throw new WebSocketError(closeCode.protocolError, "a fragment stands in the wrong place");
    }
    if (!continues) this.fragmentsBinary = frame.opcode === opcode.binary;
    this.fragments.push(frame.payload);
    if (!frame.fin) return;
    const message = Buffer.concat(this.fragments);
    this.fragments = [];
    if (this.handlers.onMessage(message, this.fragmentsBinary) === false) this.transport.pause();
  }

  private handleClose(payload: Buffer): void {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    if (this.state === "open")
      this.write({ fin: true, opcode: opcode.close, payload: payload.subarray(0, 2) });
    this.transport.end();
    this.finish(code, payload.toString("utf8", 2));
  }

  private finish(code: number, reason: string): void {
    if (this.state === "closed") return;
    this.state = "closed";
    if (this.timer !== undefined) clearTimeout(this.timer);
    if (code === lostCode) this.transport.destroy();
    this.handlers.onClose?.(code, reason);
  }
}

function closeFrame(code: number, reason: string): WebSocketFrame {
  const payload = Buffer.alloc(2 + Math.min(Buffer.byteLength(reason), 123));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return { fin: true, opcode: opcode.close, payload };
}

/**
 * The binary messages of a WebSocket as one byte stream, cut anywhere: what carries SPDY when port-forward comes by
 * WebSocket (`SPDY/3.1+portforward.k8s.io`, client-go tools/portforward/tunneling_connection.go).
 */
export class WebSocketBytes extends Duplex {
  private readonly connection: WebSocketConnection;

  constructor(transport: Duplex, role: "client" | "server") {
    super();
    this.connection = new WebSocketConnection(transport, role, {
      onMessage: (payload) => this.push(payload),
      onClose: () => this.push(null),
    });
    this.on("error", () => {});
  }

  override _read(): void {
    this.connection.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.connection.send(chunk);
    this.connection.whenWritable(done);
  }

  override _final(done: () => void): void {
    this.connection.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connection.close(closeCode.goingAway);
    done(error);
  }
}
