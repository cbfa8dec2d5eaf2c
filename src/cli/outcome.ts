/** A command that cannot do what it was asked, for a reason the person can mend; main prints it as one line. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly hint?: string;
  /** 1: a problem was found; 2: the command was called wrongly. */
  readonly exitCode: number;

  constructor(message: string, hint?: string, exitCode = 1) {
    super(message);
    if (hint !== undefined) this.hint = hint;
    this.exitCode = exitCode;
  }
}
