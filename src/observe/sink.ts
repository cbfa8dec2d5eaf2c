/** Where finished lines go. Never throws, never grows without bound, never holds up who tells. */
export interface Sink {
  /** @param line  without its line feed */
  write(line: string): void;
  /** Resolves when all that was taken so far is written or lost; after `WAIT_MS_MAX` at the latest. */
  flush(): Promise<void>;
  /** Flushes, then lets go of what it holds. Lines that come later are lost. */
  close(): Promise<void>;
}

/** Told at most once for each trouble, in words: a log that cannot be written must say so somewhere else. */
export type OnProblem = (sentence: string) => void;

/** How long a flush waits for a reader that does not read. */
export const WAIT_MS_MAX = 2000;

/** Resolves with the promise, or after `WAIT_MS_MAX`. */
export function atMost(promise: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, WAIT_MS_MAX);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
