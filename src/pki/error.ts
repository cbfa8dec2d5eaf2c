/** What pki throws when it was asked for something that cannot be: the message is for the person who asked. */
export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly code: PkiErrorCode;
  readonly hint?: string;

  constructor(code: PkiErrorCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    if (hint !== undefined) this.hint = hint;
  }
}

export type PkiErrorCode =
  /** Neither a DNS name nor an IP address. */
  | "bad_host"
  | "bad_days"
  /** The authority's key or certificate cannot sign. */
  | "bad_authority"
  /** A file that must not be overwritten is there already. */
  | "exists"
  | "cannot_write";
