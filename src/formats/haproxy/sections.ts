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
  let under: { readonly kind: SectionKind; readonly lines: Line[] } | undefined;
  /** Behind a section that is left out, or a first line that is none: lines up to the next section are not read. */
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
      under = undefined;
      lost = true;
      continue;
    }
    const kind = sectionKind(value) ?? misspeltSection(value, under?.kind);
    if (kind !== undefined) {
      if (kind !== value) problems.error(at, `unknown section "${value}"`, `did you mean "${kind}"?`);
      under = { kind, lines: [] };
      lost = false;
      sections.push({ header: line, ...under });
    } else if (under !== undefined) under.lines.push(line);
    else if (!lost) {
      problems.error(
        at,
        `"${value}" stands before any section`,
        "begin with global, defaults, frontend, backend or listen",
      );
      lost = true;
    }
  }
  return sections;
}

function sectionKind(word: string): SectionKind | undefined {
  return READ_SECTIONS.find((kind) => kind === word);
}

/** `glbal`, `fronted web`: nearer to a section's keyword than to any that may stand inside one. */
function misspeltSection(word: string, inside: SectionKind | undefined): SectionKind | undefined {
  const own =
    inside === undefined
      ? [...GLOBAL_KEYWORDS, ...PROXY_KEYWORDS.keys()]
      : inside === "global"
        ? [...GLOBAL_KEYWORDS]
        : [...PROXY_KEYWORDS.keys()];
  if (word === "no" || word === "default" || own.includes(word)) return undefined;
  const nearest = closest(word, [...own, ...READ_SECTIONS]);
  return nearest === undefined ? undefined : sectionKind(nearest);
}
