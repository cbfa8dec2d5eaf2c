/**
 * SPDY/3.1 frames (draft-mbelshe-httpbis-spdy-00 §2.2, §2.6) as kubectl's and the kubelet's library speaks them: 8 bytes
 * of head, then at most 16 MiB. Control frames have the top bit set.
 */
export type Frame =
  | { readonly kind: "data"; readonly stream: number; readonly fin: boolean; readonly payload: Buffer }
  | {
      readonly kind: "control";
      readonly type: number;
      readonly flags: number;
      readonly payload: Buffer;
    };

export const controlType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flagFin = 0x01;
export const flagUnidirectional = 0x02;

/** RST_STREAM's status codes (§2.6.3). */
export const resetCode = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;

const version = 3;
const headBytes = 8;

export function dataFrame(stream: number, payload: Buffer, fin: boolean): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(stream);
  head.writeUInt32BE(payload.length, 4);
  head[4] = fin ? flagFin : 0;
  return payload.length === 0 ? head : Buffer.concat([head, payload]);
}

export function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(0x8000 | version);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(payload.length, 4);
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

/** Cuts a byte stream into frames, however it arrives. */
export class FrameReader {
  private held: Buffer = Buffer.alloc(0);

  /**
   * @returns the frames that are whole now
   * @throws Error on another SPDY version or a frame longer than `frameBytesMax`
   */
  read(chunk: Buffer, frameBytesMax = 1 << 20): Frame[] {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    const frames: Frame[] = [];
    while (this.held.length >= headBytes) {
      const length = this.held.readUInt32BE(4) & 0xffffff;
      if (length > frameBytesMax) throw new Error(`SPDY frame of ${length} bytes is longer than allowed`);
      if (this.held.length < headBytes + length) break;
      frames.push(frameOf(this.held, this.held.subarray(headBytes, headBytes + length)));
      this.held = this.held.subarray(headBytes + length);
    }
    return frames;
  }
}

function frameOf(head: Buffer, payload: Buffer): Frame {
  const flags = head[4]!;
  if ((head[0]! & 0x80) === 0) {
    return { kind: "data", stream: head.readUInt32BE(0), fin: (flags & flagFin) !== 0, payload };
  }
  const spoken = head.readUInt16BE(0) & 0x7fff;
  if (spoken !== version) throw new Error(`SPDY version ${spoken} is not spoken here`);
  return { kind: "control", type: head.readUInt16BE(2), flags, payload };
}
