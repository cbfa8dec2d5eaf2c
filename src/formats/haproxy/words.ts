import type { Located, Position, Problems } from "../../model/index.ts";

export type Word = Located<string>;

/** The words of one line, at least one of them; `end` is where the next word would stand. */
export interface WordLine {
  readonly words: readonly Word[];
  readonly end: Position;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** HAProxy's `MAX_LINE_ARGS`. */
const WORDS_MAX = 64;

/**
 * Cuts a haproxy.cfg into the words of its lines (HAProxy manual §2.2): quotes, escapes, comments even inside a word,
 * and environment variables inside double quotes. Lines without words are left out, and lines that cannot be cut.
 */
export function readWords(text: string, file: string, env: Environment, problems: Problems): WordLine[] {
  const lines: WordLine[] = [];
  const rest = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (rest !== text) {
    problems.error(
      { file, line: 1, column: 1 },
      "the file begins with a byte order mark, which HAProxy takes for a part of the first word",
      "save it as UTF-8 without BOM",
    );
  }
  const written = rest.split("\n");
  for (const [index, line] of written.entries()) {
    const last = index === written.length - 1;
    if (last && line !== "") {
      problems.error(
        { file, line: index + 1, column: line.length + 1 },
        "the last line does not end in a newline: the file may have been cut short",
        "end the file with a newline",
      );
    }
    const words = new LineReader(line, file, index + 1, env, problems).read();
    if (words !== undefined && words.words.length > 0) lines.push(words);
  }
  return lines;
}

interface WordUnderWay {
  text: string;
  readonly start: number;
  /** Environment variables in it that are not set. */
  readonly unset: { readonly name: string; readonly at: Position }[];
}

/** Follows `parse_line()` of HAProxy's src/tools.c, which a user's file was written for. */
class LineReader {
  readonly #line: string;
  readonly #at: (index: number) => Position;
  readonly #env: Environment;
  readonly #problems: Problems;
  readonly #words: Word[] = [];
  #next = 0;
  /** The word under way; undefined between words. */
  #word: WordUnderWay | undefined;
  #broken = false;
  #quote: { readonly mark: '"' | "'"; readonly start: number } | undefined;

  constructor(line: string, file: string, number: number, env: Environment, problems: Problems) {
    this.#line = line.endsWith("\r") ? line.slice(0, -1) : line;
    this.#at = (index) => ({ file, line: number, column: index + 1 });
    this.#env = env;
    this.#problems = problems;
  }

  /** @returns undefined when the line cannot be understood; the reason is told. */
  read(): WordLine | undefined {
    const line = this.#line;
    while (this.#next < line.length) {
      const character = line[this.#next]!;
      if (character === "\r" || character === "\0") {
        return this.#fail(
          this.#next,
          "a control character in the middle of the line; HAProxy ignores all that follows",
        );
      }
      if (character === "#" && this.#quote === undefined) break;
      if (this.#isQuote(character)) this.#turnQuote(character);
      else if (character === "\\" && this.#quote?.mark !== "'") {
        if (!this.#escape()) return undefined;
      } else if (isSpace(character) && this.#quote === undefined) this.#endWord();
      else if (character === "$" && this.#quote?.mark === '"') {
        if (!this.#variable()) return undefined;
      } else {
        if (character === "$" && this.#quote === undefined) this.#warnLiteralVariable();
        this.#add(character);
        this.#next++;
      }
    }
    if (this.#quote !== undefined) {
      const { mark, start } = this.#quote;
      return this.#fail(
        start,
        `this ${mark} is never closed`,
        `close it on the same line, or write \\${mark}`,
      );
    }
    this.#endWord(line.length);
    if (this.#broken) return undefined;
    if (this.#words.length > WORDS_MAX) {
      const at = this.#words[WORDS_MAX]!.at;
      this.#problems.error(at, `more than ${WORDS_MAX} words in one line`, "split it into several lines");
      return undefined;
    }
    const end = this.#at(line.trimEnd().length + 1);
    return { words: this.#words, end };
  }

  #isQuote(character: string): character is '"' | "'" {
    return (
      (character === '"' || character === "'") &&
      (this.#quote === undefined || this.#quote.mark === character)
    );
  }

  #turnQuote(mark: '"' | "'"): void {
    this.#open();
    this.#quote = this.#quote === undefined ? { mark, start: this.#next } : undefined;
    this.#next++;
  }

  #open(): WordUnderWay {
    this.#word ??= { text: "", start: this.#next, unset: [] };
    return this.#word;
  }

  #add(text: string): void {
    this.#open().text += text;
  }

  /** A word ends at a space or at the end of the line; an empty one would end HAProxy's list of arguments. */
  #endWord(at = this.#next): void {
    const word = this.#word;
    this.#word = undefined;
    if (at === this.#next) this.#next++;
    if (word === undefined) return;
    const [unset] = word.unset;
    const mend = unset && `set it, or write "\${${unset.name}-default}"`;
    if (word.text === "") {
      const why = unset === undefined ? "" : `: the environment variable ${unset.name} is not set`;
      const message = `this word is empty${why}; HAProxy ignores the rest of such a line`;
      this.#problems.error(this.#at(word.start), message, mend ?? "remove it");
      this.#broken = true;
      return;
    }
    for (const { name, at } of word.unset) {
      this.#problems.warning(
        at,
        `the environment variable ${name} is not set; nothing stands in its place`,
        mend,
      );
    }
    this.#words.push({ value: word.text, at: this.#at(word.start) });
  }

  /** `\ ` `\#` `\\` `\'` `\"` `\n` `\r` `\t` `\xNN`, and `\$` inside double quotes; any other backslash stays. */
  #escape(): boolean {
    const start = this.#next;
    const escaped = this.#line[start + 1];
    if (escaped === "x") {
      const hex = this.#line.slice(start + 2, start + 4);
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) {
        this.#fail(start, "\\x must be followed by two hexadecimal digits");
        return false;
      }
      this.#add(String.fromCharCode(Number.parseInt(hex, 16)));
      this.#next = start + 4;
      return true;
    }
    const dollar = escaped === "$" && this.#quote !== undefined;
    const means = dollar ? "$" : escaped === undefined ? undefined : ESCAPES.get(escaped);
    this.#add(means ?? "\\");
    this.#next = start + (means === undefined ? 1 : 2);
    return true;
  }

  /** `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}` (one word per space). */
  #variable(): boolean {
    const start = this.#next;
    const found = VARIABLE.exec(this.#line.slice(start));
    if (found === null) {
      this.#fail(start, "a variable's name must begin with a letter or _", 'write \\$ for a "$" itself');
      return false;
    }
    const [whole, bare, braced, split, fallback] = found;
    if (whole.startsWith("${") && !whole.endsWith("}")) {
      this.#fail(start, "this ${ is never closed", 'put a "}" behind the name or its default');
      return false;
    }
    const name = (bare ?? braced)!;
    const value = this.#env[name] ?? fallback;
    const word = this.#open();
    if (value === undefined) {
      word.unset.push({ name, at: this.#at(start) });
    }
    this.#next = start + whole.length;
    if (split === undefined) this.#add(value ?? "");
    else this.#addWords(value ?? "", start);
    return true;
  }

  /** `${NAME[*]}`: spaces in the value part words, though inside quotes. */
  #addWords(value: string, start: number): void {
    for (const [index, part] of value.split(/\s+/).entries()) {
      if (index > 0) {
        this.#words.push({ value: this.#word!.text, at: this.#at(this.#word!.start) });
        this.#word = { text: "", start, unset: [] };
      }
      this.#add(part);
    }
  }

  /** `$NAME` outside double quotes stands for itself, which is seldom what was meant. */
  #warnLiteralVariable(): void {
    const found = /^\$(?:\{[A-Za-z_]\w*[^}]*\}|[A-Za-z_]\w*)/.exec(this.#line.slice(this.#next));
    if (found === null) return;
    this.#problems.warning(
      this.#at(this.#next),
      `${found[0]} is taken as it stands: variables are replaced only inside double quotes`,
      `write "${found[0]}"`,
    );
  }

  #fail(index: number, message: string, hint?: string): undefined {
    this.#problems.error(this.#at(index), message, hint);
    return undefined;
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  [" ", " "],
  ["#", "#"],
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

const VARIABLE = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(\[\*\])?(?:-([^}]*))?\}?)/;

function isSpace(character: string): boolean {
  return character === " " || character === "\t" || character === "\v" || character === "\f";
}
