/** A task could not be done, and not by a mistake of ours: one sentence for a person, and what to do. */
export class TaskFailure extends Error {
  override readonly name = "TaskFailure";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
