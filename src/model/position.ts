/** A place in a text a person wrote; line and column count from 1, column in characters. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A value that still knows where it stood. */
export interface Located<T> {
  readonly value: T;
  readonly at: Position;
}

export function located<T>(value: T, at: Position): Located<T> {
  return { value, at };
}
