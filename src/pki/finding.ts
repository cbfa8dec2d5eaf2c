import type { Diagnostic, Position } from "../model/index.ts";

/** A problem of a file's content; it becomes a Diagnostic at the place that names the file. */
export type Finding = Omit<Diagnostic, "at">;

export function error(message: string, hint?: string): Finding {
  return { severity: "error", message, ...(hint !== undefined && { hint }) };
}

export function warning(message: string, hint?: string): Finding {
  return { severity: "warning", message, ...(hint !== undefined && { hint }) };
}

export function placed(findings: readonly Finding[], at: Position): Diagnostic[] {
  return findings.map((finding) => ({ ...finding, at }));
}
