import {
  ErrorCode,
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  Http2ConnectionError,
  readFrameLength,
  SETTING_BYTES,
  Setting,
  TABLE_BYTES_DEFAULT,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  writeFrameLength,
} from "../../wire/http2/index.ts";

/** Streams a client may have open on one lane: what kube-apiserver and Go allow, and more than anybody was seen to use. */
export const STREAMS_MAX = 250;
/** Our decoders must keep the same table as the peers'; browsers offer this much, Kubernetes 4 KB. */
const TABLE_BYTES_MAX = 65_536;

/** What one peer has announced, as the other one gets to know it. */
export class PeerSettings {
  tableBytes = TABLE_BYTES_DEFAULT;
  initialWindow = WINDOW_DEFAULT;
  frameBytes = FRAME_BYTES_DEFAULT;
  #seen = false;

  /** Whether the peer's first SETTINGS, its preface, has passed. */
  get seen(): boolean {
    return this.#seen;
  }

  /**
   * Reads a SETTINGS frame and edits in place what may not go on as it is: no push, no extended CONNECT (RFC 8441: the gate
   * could not tell where such a stream leads), a cap on streams and on header tables.
   * @returns what must be added to the frame's end, its length already counted: a limit whose default is "none" cannot be
   *          edited where it is not announced, and a frame of our own would break the pairing of acknowledgements
   */
  edit(from: "client" | "server", bytes: Buffer, start: number, end: number): Buffer | undefined {
    const must = from === "server" ? Setting.MAX_CONCURRENT_STREAMS : Setting.ENABLE_PUSH;
    let found = this.#seen;
    for (let at = start + FRAME_HEAD_BYTES; at < end; at += SETTING_BYTES) {
      const setting = bytes.readUInt16BE(at);
      const value = bytes.readUInt32BE(at + 2);
      if (setting === must) found = true;
      const edited = this.#judge(from, setting, value);
      if (edited !== value) bytes.writeUInt32BE(edited, at + 2);
    }
    this.#seen = true;
    if (found) return undefined;
    writeFrameLength(bytes, start, readFrameLength(bytes, start) + SETTING_BYTES);
    return from === "server" ? CAP_ON_STREAMS : NO_PUSH;
  }

  /** @returns the value that goes on */
  #judge(from: "client" | "server", setting: number, value: number): number {
    switch (setting) {
      case Setting.HEADER_TABLE_SIZE: {
        const bytes = Math.min(value, TABLE_BYTES_MAX);
        // A smaller one comes into force when it is acknowledged; until then blocks may use the larger.
        this.tableBytes = Math.max(this.tableBytes, bytes);
        return bytes;
      }
      case Setting.ENABLE_PUSH:
        if (value > 1 || (from === "server" && value !== 0)) {
          fail(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH has no such value");
        }
        return 0;
      case Setting.MAX_CONCURRENT_STREAMS:
        return from === "server" ? Math.min(value, STREAMS_MAX) : value;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > WINDOW_MAX) fail(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is too large");
        this.initialWindow = value;
        return value;
      case Setting.MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_DEFAULT || value > FRAME_BYTES_MAX) {
          fail(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range");
        }
        this.frameBytes = Math.max(this.frameBytes, value);
        return value;
      case Setting.ENABLE_CONNECT_PROTOCOL:
        return 0;
      default:
        return value;
    }
  }
}

const CAP_ON_STREAMS = entry(Setting.MAX_CONCURRENT_STREAMS, STREAMS_MAX);
const NO_PUSH = entry(Setting.ENABLE_PUSH, 0);

function entry(setting: number, value: number): Buffer {
  const bytes = Buffer.alloc(SETTING_BYTES);
  bytes.writeUInt16BE(setting, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function fail(code: number, message: string): never {
  throw new Http2ConnectionError(code, message);
}
