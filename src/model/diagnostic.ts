import type { Position } from "./position.ts";

/** One problem in a person's file. An error stops the gate from using the file; a warning does not. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly at: Position;
  /** What is wrong, in the user's words. */
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
}

/** `file:line:column: error: what`, and the hint on a line of its own, indented. */
export function formatDiagnostic(problem: Diagnostic): string {
  const { file, line, column } = problem.at;
  const head = visible(`${file}:${line}:${column}: ${problem.severity}: ${problem.message}`);
  return problem.hint === undefined ? head : `${head}\n    ${visible(problem.hint)}`;
}

/** Messages quote what a file says; what would move a terminal's cursor or break the line is written out. */
function visible(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

export function hasErrors(problems: readonly Diagnostic[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}

/** By file, then line, then column, so that a person can mend from top to bottom. */
export function inFileOrder(problems: readonly Diagnostic[]): Diagnostic[] {
  return [...problems].sort(
    (a, b) => a.at.file.localeCompare(b.at.file) || a.at.line - b.at.line || a.at.column - b.at.column,
  );
}
