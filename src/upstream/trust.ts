import type { SecureContext } from "node:tls";

/** What a server's certificate is judged by. Made once per server (a context costs 320–470 µs), never per dial. */
export interface ServerTrust {
  readonly context: SecureContext;
  readonly verify: "none" | "required";
  /** Where the authorities were read from, for messages; undefined: the machine's own trust store. */
  readonly caPath: string | undefined;
  /** Subjects of the authorities, for messages; empty where they are too many to name. */
  readonly caNames: readonly string[];
}
