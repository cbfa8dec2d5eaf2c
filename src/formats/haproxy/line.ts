import { didYouMean, type Position, type Problems } from "../../model/index.ts";
import type { Word, WordLine } from "./words.ts";

/** What is left to read of a line, and where to complain about it. */
export class Line {
  readonly words: readonly Word[];
  readonly problems: Problems;
  /** Where the line ends: the place of what is missing. */
  readonly end: Position;
  #next = 0;

  constructor(line: WordLine, problems: Problems) {
    this.words = line.words;
    this.end = line.end;
    this.problems = problems;
  }

  /** The first word, which names what the line is about. */
  get keyword(): Word {
    return this.words[0]!;
  }

  /** Where the next word stands, or would stand. */
  get at(): Position {
    return this.peek()?.at ?? this.end;
  }

  peek(ahead = 0): Word | undefined {
    return this.words[this.#next + ahead];
  }

  next(): Word | undefined {
    const word = this.words[this.#next];
    if (word !== undefined) this.#next++;
    return word;
  }

  /** The next word, or an error that says what should stand there. */
  expect(what: string, hint?: string): Word | undefined {
    const word = this.next();
    if (word === undefined) this.problems.error(this.end, `${what} is missing`, hint);
    return word;
  }

  skip(count: number): void {
    this.#next = Math.min(this.#next + count, this.words.length);
  }

  /** All that is left. */
  rest(): readonly Word[] {
    const rest = this.words.slice(this.#next);
    this.#next = this.words.length;
    return rest;
  }

  /** Complains about whatever is left. */
  done(): void {
    const extra = this.next();
    if (extra === undefined) return;
    this.#next = this.words.length;
    this.problems.error(extra.at, `"${extra.value}" does not belong here`, "remove it");
  }

  /** The next word out of a closed set, or an error that lists the set. */
  oneOf<T extends string>(
    what: string,
    choices: readonly T[],
    hint = `one of: ${choices.join(", ")}`,
  ): (Word & { readonly value: T }) | undefined {
    const word = this.expect(what, hint);
    if (word === undefined) return undefined;
    const chosen = choices.find((choice) => choice === word.value);
    if (chosen !== undefined) return { value: chosen, at: word.at };
    this.problems.error(
      word.at,
      `${what} cannot be "${word.value}"`,
      didYouMean(word.value, choices) ?? hint,
    );
    return undefined;
  }
}

/** The error for what HAProxy has and the native engine does not. */
export function notYet(problems: Problems, at: Position, what: string, hint?: string): void {
  const engine = "run this file with --engine haproxy";
  problems.error(
    at,
    `${what} is not supported yet`,
    hint === undefined ? `remove it, or ${engine}` : `${hint}, or ${engine}`,
  );
}
