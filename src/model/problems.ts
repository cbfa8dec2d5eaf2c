import type { Diagnostic } from "./diagnostic.ts";
import type { Position } from "./position.ts";

/** Gathers what is wrong with a text. The same sentence about the same place is kept once, however often it is found. */
export class Problems {
  readonly list: Diagnostic[] = [];
  #errors = 0;
  readonly #said = new Set<string>();

  /** How many errors so far: a reader compares before and after to know whether a part was understood. */
  get errors(): number {
    return this.#errors;
  }

  error(at: Position, message: string, hint?: string): void {
    if (this.#add({ severity: "error", at, message, ...(hint !== undefined && { hint }) })) this.#errors++;
  }

  warning(at: Position, message: string, hint?: string): void {
    this.#add({ severity: "warning", at, message, ...(hint !== undefined && { hint }) });
  }

  #add(problem: Diagnostic): boolean {
    const key = `${problem.at.line}:${problem.at.column}:${problem.at.file}:${problem.message}`;
    if (this.#said.has(key)) return false;
    this.#said.add(key);
    this.list.push(problem);
    return true;
  }
}
