import { randomBytes } from "node:crypto";

/** RFC 6455 §5.2. */
export interface WebSocketFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** RFC 6455 §7.4.1. */
export const closeCode = { normal: 1000, goingAway: 1001, protocolError: 1002, tooBig: 1009 } as const;

/** The peer broke the protocol; `code` is what the close frame then says. */
export class WebSocketError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "WebSocketError";
    this.code = code;
  }
}

/** @param masked  true for a client's frames (RFC 6455 §5.3) */
export function encodeFrame(frame: WebSocketFrame, masked: boolean): Buffer {
  const { payload } = frame;
  const lengthBytes = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes + (masked ? 4 : 0));
  head[0] = (frame.fin ? 0x80 : 0) | frame.opcode;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(payload.length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const key = randomBytes(4);
  key.copy(head, 2 + lengthBytes);
  return Buffer.concat([head, xor(payload, key)]);
}

/** Cuts a byte stream into frames, however it arrives, and unmasks them. */
export class WebSocketReader {
  private held: Buffer = Buffer.alloc(0);
  private readonly masked: boolean;
  private readonly payloadBytesMax: number;

  /** @param masked  whether the peer must mask: true when we are the server */
  constructor(masked: boolean, payloadBytesMax = 4 << 20) {
    this.masked = masked;
    this.payloadBytesMax = payloadBytesMax;
  }

  /** @throws WebSocketError on reserved bits, unknown opcodes, wrong masking, bad control frames or too long ones. */
  read(chunk: Buffer): WebSocketFrame[] {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    const frames: WebSocketFrame[] = [];
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame);
    return frames;
  }

  private next(): WebSocketFrame | undefined {
    const { held } = this;
    if (held.length < 2) return undefined;
    const first = held[0]!;
    const second = held[1]!;
    this.judge(first, second);
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + (this.masked ? 4 : 0);
    if (held.length < headBytes) return undefined;
    const length =
      lengthBytes === 0 ? short : lengthBytes === 2 ? held.readUInt16BE(2) : Number(held.readBigUInt64BE(2));
    if (length > this.payloadBytesMax) {
      throw new WebSocketError(closeCode.tooBig, `a frame of ${length} bytes is too long`);
    }
    if (held.length < headBytes + length) return undefined;
    const bytes = held.subarray(headBytes, headBytes + length);
    this.held = held.subarray(headBytes + length);
    const payload = this.masked ? xor(bytes, held.subarray(headBytes - 4, headBytes)) : bytes;
    return { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload };
  }

  private judge(first: number, second: number): void {
    const code = first & 0x0f;
    const isControl = code >= 8;
    if ((first & 0x70) !== 0) throw new WebSocketError(closeCode.protocolError, "reserved bits are set");
    if (!Object.values<number>(opcode).includes(code)) {
      throw new WebSocketError(closeCode.protocolError, `opcode ${code} is unknown`);
    }
    if (isControl && ((first & 0x80) === 0 || (second & 0x7f) > 125)) {
      throw new WebSocketError(closeCode.protocolError, "a control frame is fragmented or too long");
    }
    if (((second & 0x80) !== 0) !== this.masked) {
      throw new WebSocketError(
        closeCode.protocolError,
        `a ${this.masked ? "client" : "server"} masked wrongly`,
      );
    }
  }
}

function xor(bytes: Buffer, key: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) out[i] = bytes[i]! ^ key[i & 3]!;
  return out;
}
