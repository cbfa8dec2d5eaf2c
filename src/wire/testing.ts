/**
 * Cuts a case at every offset into two chunks, then into single bytes: a parser must say the same each time.
 * The chunks are copies, so a parser that holds on to one does not see the next.
 */
export function everySplit(
  bytes: Buffer | string,
  run: (chunks: readonly Buffer[], how: string) => void,
): void {
  const whole = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
  run([Buffer.from(whole)], "whole");
  for (let at = 1; at < whole.length; at++) {
    run([Buffer.from(whole.subarray(0, at)), Buffer.from(whole.subarray(at))], `cut at ${at}`);
  }
  run(
    Array.from(whole, (byte) => Buffer.from([byte])),
    "byte by byte",
  );
}

/** As `everySplit`, for cases that must be waited for. */
export async function everySplitAsync(
  bytes: Buffer | string,
  run: (chunks: readonly Buffer[], how: string) => Promise<void>,
): Promise<void> {
  const cuts: [readonly Buffer[], string][] = [];
  everySplit(bytes, (chunks, how) => cuts.push([chunks, how]));
  for (const [chunks, how] of cuts) await run(chunks, how);
}
