import { normalServerName } from "../model/index.ts";

/** Something that is chosen by server name: a certificate, or what was made from it. */
export interface Candidate<T> {
  /** DNS names as certificates carry them; `*.example.com` stands for one label. */
  readonly names: readonly string[];
  readonly value: T;
}

export type Chooser<T> = (serverName: string | undefined) => T | undefined;

/**
 * Prepares HAProxy's choice of a certificate (manual §5.1 `crt`, `strict-sni`): the exact name, then a wildcard for its
 * first label, else the first one loaded; with strict-sni nothing. Where two carry a name, the first one wins. `CN=*`
 * matches no name: it only serves as the default. Looking up costs two hash look-ups at the most.
 */
export function certificateChooser<T>(candidates: readonly Candidate<T>[], strictSni: boolean): Chooser<T> {
  const byName = namesOf(candidates);
  const fallback = strictSni ? undefined : candidates[0]?.value;
  return (serverName) => (serverName === undefined ? undefined : lookUp(byName, serverName)) ?? fallback;
}

/** Whether one of them carries the name, or exactly this wildcard; the default does not count. */
export function carriesName(candidates: readonly Candidate<unknown>[], name: string): boolean {
  const byName = namesOf(candidates);
  return byName.has(name) || lookUp(byName, name) !== undefined;
}

function namesOf<T>(candidates: readonly Candidate<T>[]): ReadonlyMap<string, T> {
  const byName = new Map<string, T>();
  for (const { names, value } of candidates) {
    for (const name of names) if (!byName.has(name)) byName.set(name, value);
  }
  return byName;
}

function lookUp<T>(byName: ReadonlyMap<string, T>, serverName: string): T | undefined {
  const name = normalServerName(serverName);
  // A star in a server name is no wildcard: it must not find the certificate's own.
  const exact = name.startsWith("*") ? undefined : byName.get(name);
  if (exact !== undefined) return exact;
  const dot = name.indexOf(".");
  return dot > 0 ? byName.get(`*${name.slice(dot)}`) : undefined;
}
