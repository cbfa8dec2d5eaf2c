/**
 * The Huffman code of RFC 7541 Appendix B. It is canonical: codes of one length are in the order of their symbols and
 * follow on from those of the length before, so the lengths alone tell all of it.
 */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const END_OF_STRING = 256;
const BITS_MAX = 30;

/**
 * Steps of eight bits. A step at table `t` with byte `b` finds `STEPS[t * 256 + b]`: a symbol as `bits << 8 | symbol`
 * with the bits of this step it used, or the next table as a negative number, or 0 where no code leads.
 */
const STEPS = buildSteps();

/** The most bytes that `bytes` encoded bytes can become: no code is shorter than five bits. */
export function decodedBytesMax(bytes: number): number {
  return Math.floor((bytes * 8) / 5);
}

/**
 * Decodes `bytes[start, end)` into `out`, which must have room for `decodedBytesMax`.
 * @returns how many bytes it became; -1 when the code is broken (RFC 7541 §5.2: wrong padding, or the end-of-string symbol)
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let length = 0;
  let table = 0;
  /** Bits read and not used yet are the lowest `count` of `window`, at most 15. */
  let window = 0;
  let count = 0;
  /** Bits since the last symbol. */
  let unfinished = 0;
  for (let at = start; at < end; at++) {
    window = ((window << 8) | (bytes[at] ?? 0)) & 0xffff;
    count += 8;
    unfinished += 8;
    while (count >= 8) {
      const step = STEPS[table + ((window >>> (count - 8)) & 0xff)] ?? 0;
      if (step > 0) {
        out[length++] = step & 0xff;
        count -= step >>> 8;
        unfinished = count;
        table = 0;
      } else if (step < 0) {
        table = -step;
        count -= 8;
      } else return -1;
    }
  }
  while (count > 0) {
    const step = STEPS[table + ((window << (8 - count)) & 0xff)] ?? 0;
    if (step <= 0 || step >>> 8 > count) break;
    out[length++] = step & 0xff;
    count -= step >>> 8;
    unfinished = count;
    table = 0;
  }
  const padding = (1 << count) - 1;
  return unfinished > 7 || (window & padding) !== padding ? -1 : length;
}

/** The code of each symbol, the one for the end of a string last. */
export function huffmanCodes(): { readonly code: number; readonly bits: number }[] {
  const codes: { code: number; bits: number }[] = CODE_BITS.map((bits) => ({ code: 0, bits }));
  let code = 0;
  for (let bits = 1; bits <= BITS_MAX; bits++) {
    for (const entry of codes) if (entry.bits === bits) entry.code = code++;
    code *= 2;
  }
  return codes;
}

function buildSteps(): Int32Array {
  const tables: number[][] = [new Array<number>(256).fill(0)];
  huffmanCodes().forEach(({ code, bits }, symbol) => {
    if (symbol === END_OF_STRING) return;
    let left = bits;
    let at = 0;
    while (left > 8) {
      left -= 8;
      const table = tables[at] ?? [];
      const byte = (code >>> left) & 0xff;
      if (table[byte] === 0) {
        table[byte] = -256 * tables.length;
        tables.push(new Array<number>(256).fill(0));
      }
      at = -(table[byte] ?? 0) / 256;
    }
    const from = (code << (8 - left)) & 0xff;
    tables[at]?.fill((left << 8) | symbol, from, from + (1 << (8 - left)));
  });
  return Int32Array.from(tables.flat());
}
