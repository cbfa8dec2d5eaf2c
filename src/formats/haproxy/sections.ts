import { closest, type Problems } from "../../model/index.ts";
import { GLOBAL_KEYWORDS, OTHER_SECTIONS, PROXY_KEYWORDS, READ_SECTIONS } from "./keywords.ts";
import { Line, notYet } from "./line.ts";
import type { WordLine } from "./words.ts";

export type SectionKind = (typeof READ_SECTIONS)[number];

export interface Section {
  readonly kind: SectionKind;
  /** The line that opens it, its keyword already read. */
  readonly header: Line;
  readonly lines: readonly Line[];
}

/**
 * Parts the lines into sections. A section that HAProxy has and we do not is told once and left out; a misspelt section
 * keyword is told and the section read all the same, so that its own mistakes and its name are known.
 */
export function readSections(lines: readonly WordLine[], problems: Problems): Section[] {
  const sections: Section[] = [];
  let lines_: Line[] | undefined;
  let kind: SectionKind | undefined;
  let lost = false;
  for (const words of lines) {
    const line = new Line(words, problems);
    const { value, at } = line.next()!;
    if (value.startsWith(".")) {
      notYet(problems, at, `HAProxy's "${value}"`);
      continue;
    }
    if (OTHER_SECTIONS.has(value)) {
      notYet(problems, at, `a section "${value}"`);
      lines_ = [];
      kind = undefined;
      lost = true;
      continue;
    }
    const opens = sectionKind(value) ?? misspeltSection(value, kind, lost);
    if (opens === undefined) {
      if (lines_ !== undefined) lines_.push(line);
      else if (!lost)
        problems.error(
          at,
          `"${value}" stands before any section`,
          "begin with global, defaults, frontend, backend or listen",
        );
      lost ||= lines_ === undefined;
      continue;
    }
    if (opens !== value) problems.error(at, `unknown section "${value}"`, `did you mean "${opens}"?`);
    lines_ = [];
    kind = opens;
    lost = false;
    sections.push({ kind: opens, header: line, lines: lines_ });
  }
  return sections;
}

function sectionKind(word: string): SectionKind | undefined {
  return READ_SECTIONS.find((kind) => kind === word);
}

/** `glbal`, `fronted web`: not a keyword of the section under way, and nearer to a section's than to any of its own. */
function misspeltSection(
  word: string,
  inside: SectionKind | undefined,
  lost: boolean,
): SectionKind | undefined {
  if (lost) return undefined;
  if (inside === "global" ? GLOBAL_KEYWORDS.has(word) : inside !== undefined && PROXY_KEYWORDS.has(word))
    return undefined;
  const own = inside === undefined ? [] : inside === "global" ? GLOBAL_KEYWORDS : PROXY_KEYWORDS.keys();
  const nearest = closest(word, [...READ_SECTIONS, ...own]);
  return nearest === undefined ? undefined : sectionKind(nearest);
}
