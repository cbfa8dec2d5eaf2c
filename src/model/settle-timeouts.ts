import type { DraftTimeouts } from "./draft.ts";

/** Leaves out what was not written, and what was written as 0: both mean that it never ends (HAProxy manual §2.5). */
export function settleTimeouts<T extends object>(
  draft: DraftTimeouts<T>,
): { readonly [Name in keyof T]?: number } {
  const settled: { [Name in keyof T]?: number } = {};
  for (const name in draft) {
    const written = draft[name];
    if (written !== undefined && written.value > 0) settled[name] = written.value;
  }
  return settled;
}
