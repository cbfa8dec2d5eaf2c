import { HTAB, isNamed, SP } from "./bytes.ts";

/** Bits for what a Connection header lists (RFC 9110 §7.6.1). */
export const ConnectionOption = {
  close: 1,
  keepAlive: 2,
  upgrade: 4,
  te: 8,
  other: 16,
} as const;

const CLOSE = Buffer.from("close");
const KEEP_ALIVE = Buffer.from("keep-alive");
const UPGRADE = Buffer.from("upgrade");
const TE = Buffer.from("te");
const COMMA = 0x2c;

/** The options of one Connection line, as a set of bits. */
export function readConnectionOptions(bytes: Buffer, from: number, to: number): number {
  let options = 0;
  let at = from;
  while (at < to) {
    while (at < to && (bytes[at] === COMMA || bytes[at] === SP || bytes[at] === HTAB)) at++;
    const start = at;
    while (at < to && bytes[at] !== COMMA && bytes[at] !== SP && bytes[at] !== HTAB) at++;
    if (at > start) options |= optionOf(bytes, start, at);
  }
  return options;
}

function optionOf(bytes: Buffer, from: number, to: number): number {
  switch (to - from) {
    case 2:
      return isNamed(bytes, from, TE) ? ConnectionOption.te : ConnectionOption.other;
    case 5:
      return isNamed(bytes, from, CLOSE) ? ConnectionOption.close : ConnectionOption.other;
    case 7:
      return isNamed(bytes, from, UPGRADE) ? ConnectionOption.upgrade : ConnectionOption.other;
    case 10:
      return isNamed(bytes, from, KEEP_ALIVE) ? ConnectionOption.keepAlive : ConnectionOption.other;
    default:
      return ConnectionOption.other;
  }
}
