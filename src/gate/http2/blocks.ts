import {
  Flag,
  FRAME_BYTES_DEFAULT,
  FRAME_HEAD_BYTES,
  FrameType,
  type HeaderBlock,
  type HeaderField,
  headerFrames,
  readFrameLength,
  writeFrameHead,
  writeFrameLength,
} from "../../wire/http2/index.ts";
import type { Outlet } from "./outlet.ts";

/**
 * Sends the header blocks of one direction on. As they came, as long as none was kept back: both ends' tables are then
 * the same. Once a block that changed the table does not go on as it is, the reader's table is behind; from there on every
 * block is written anew in literals, the first of them emptying the reader's table.
 */
export class BlockWriter {
  readonly #outlet: Outlet;
  #mode: "verbatim" | "turning" | "literals" = "verbatim";

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Fields are needed with every block from now on. */
  get writesAnew(): boolean {
    return this.#mode !== "verbatim";
  }

  /** A block does not go on. @param tableChanged  it entered something into the table, or resized it */
  withheld(tableChanged: boolean): void {
    if (tableChanged && this.#mode === "verbatim") this.#mode = "turning";
  }

  /** @param added  a literal that goes last */
  verbatim(block: HeaderBlock, added: Buffer | undefined): void {
    const { frames, framesStart, framesEnd, lastFrameAt, lastContentEnd } = block;
    if (added === undefined) {
      this.#outlet.pass(frames, framesStart, framesEnd);
      return;
    }
    const grown = readFrameLength(frames, lastFrameAt) + added.length;
    if (grown <= FRAME_BYTES_DEFAULT) {
      writeFrameLength(frames, lastFrameAt, grown);
      this.#outlet.pass(frames, framesStart, lastContentEnd);
      this.#outlet.pass(added, 0, added.length);
      this.#outlet.pass(frames, lastContentEnd, framesEnd);
      return;
    }
    frames[lastFrameAt + 4] = (frames[lastFrameAt + 4] ?? 0) & ~Flag.END_HEADERS;
    this.#outlet.pass(frames, framesStart, framesEnd);
    const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
    writeFrameHead(head, 0, added.length, FrameType.CONTINUATION, Flag.END_HEADERS, block.streamId);
    this.#outlet.pass(head, 0, head.length);
    this.#outlet.pass(added, 0, added.length);
  }

  anew(block: HeaderBlock, fields: Iterable<HeaderField>, added: Buffer | undefined): void {
    const emptyTable = this.#mode !== "literals";
    this.#mode = "literals";
    const frames = headerFrames(block.streamId, block.endStream, { fields, last: added, emptyTable });
    this.#outlet.pass(frames, 0, frames.length);
  }
}
