import type { KubectlUser, KubectlVersion } from "./kubectl.ts";

/** Something done while kubectl runs. */
export interface Step {
  /** Once all that stdout has brought matches. */
  readonly after: RegExp;
  /** Typed into kubectl's terminal. */
  readonly types?: string;
  /** Another kubectl, that must succeed. */
  readonly runs?: readonly string[];
  /** Connections, at once, to the port named by `after`'s group `port`: what each sends before its FIN. */
  readonly sends?: readonly string[];
}

/** One run of kubectl and what must come of it. */
export interface KubectlCase {
  readonly name: string;
  readonly args: readonly string[];
  /** Default both. */
  readonly versions?: readonly KubectlVersion[];
  /** Default admin. */
  readonly user?: KubectlUser;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly terminal?: { readonly columns: number; readonly rows: number };
  readonly steps?: readonly Step[];
  /** It would go on for ever: ended after its last step, and what it wrote up to there counts. */
  readonly endless?: boolean;
  /** Files in its working folder, before. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files it must leave there; their texts come last in `brings`. */
  readonly leaves?: readonly string[];
  /** Default 0. */
  readonly code?: number;
  /** Exactly, or as a pattern; times, ages and the like stand as `<age>` (kubectl-run.ts). */
  readonly stdout?: string | RegExp;
  readonly stderr?: string | RegExp;
  /** What the steps' connections and the files brought. */
  readonly brings?: readonly (string | RegExp)[];
}

export const onlyOld: readonly KubectlVersion[] = ["1.20"];
export const onlyNew: readonly KubectlVersion[] = ["1.35"];
export const withoutHttp2 = { DISABLE_HTTP2: "1" };
export const withoutWebSocket = {
  KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false",
  KUBECTL_PORT_FORWARD_WEBSOCKETS: "false",
};
