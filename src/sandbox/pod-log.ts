export interface LogLine {
  readonly time: Date;
  readonly text: string;
}

/** Older lines are forgotten, as a rotated log file is. */
const linesMax = 1_000;

/** What a pod's only container has written. */
export class PodLog {
  readonly lines: LogLine[] = [];
  private readonly followers = new Map<(line: LogLine) => void, () => void>();

  append(text: string): void {
    const line = { time: new Date(), text };
    this.lines.push(line);
    if (this.lines.length > linesMax) this.lines.shift();
    for (const listener of this.followers.keys()) listener(line);
  }

  /**
   * Calls back with each new line.
   * @param onEnd  called when the pod is gone
   * @returns ends it
   */
  follow(listener: (line: LogLine) => void, onEnd: () => void): () => void {
    this.followers.set(listener, onEnd);
    return () => this.followers.delete(listener);
  }

  close(): void {
    for (const onEnd of [...this.followers.values()]) onEnd();
    this.followers.clear();
  }
}
