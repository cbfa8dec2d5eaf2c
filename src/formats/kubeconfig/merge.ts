import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isSeq, type YAMLSeq } from "yaml";
import type { Diagnostic } from "../../model/index.ts";
import { type EntryParts, entryParts, type KubeconfigEntry, type Named } from "./entry.ts";
import { findPart, LIST_OF, type PartKind, readKubeconfig, TO_STRING } from "./read.ts";
import { writeKubeconfig } from "./write.ts";

export interface MergeOptions {
  /** Replace a cluster, user or context of the same name that differs. */
  readonly force?: boolean;
  /** Make ours the current context even where there is one. */
  readonly useContext?: boolean;
}

export type Merged =
  | {
      readonly kind: "merged";
      readonly text: string;
      /** What was replaced: `cluster "prod"`. */
      readonly replaced: readonly string[];
      readonly currentContext: string;
    }
  /** The file is no kubeconfig. */
  | { readonly kind: "unreadable"; readonly problems: readonly Diagnostic[] }
  /** What stands in the way: `cluster "prod"`. */
  | { readonly kind: "taken"; readonly parts: readonly string[] };

/**
 * Puts one cluster, user and context into a kubeconfig that is there. What it holds stays as it is: entries, unknown
 * fields, comments, and the current context unless there is none.
 * @param file  its name, for messages
 */
export function mergeKubeconfig(
  text: string,
  file: string,
  entry: KubeconfigEntry,
  options: MergeOptions = {},
): Merged {
  const { document, problems } = readKubeconfig(text, file);
  if (document === undefined) return { kind: "unreadable", problems };
  const parts = entryParts(entry);
  if (document.contents === null) {
    return { kind: "merged", text: writeKubeconfig(entry), replaced: [], currentContext: parts.context.name };
  }
  const taken = listOf(parts).filter((part) => differs(document, part));
  if (taken.length > 0 && options.force !== true) return { kind: "taken", parts: taken.map(called) };
  for (const part of listOf(parts)) put(document, part);
  const current = document.get("current-context");
  const hasCurrent = typeof current === "string" && current !== "";
  const currentContext = hasCurrent && options.useContext !== true ? current : parts.context.name;
  if (currentContext !== current) document.set("current-context", currentContext);
  return { kind: "merged", text: print(document, text), replaced: taken.map(called), currentContext };
}

type Part = Named<PartKind>;

function listOf({ cluster, user, context }: EntryParts): Part[] {
  return user === undefined ? [cluster, context] : [cluster, user, context];
}

function called(part: Part): string {
  return `${part.kind} "${part.name}"`;
}

/** The same entry once more is no harm: a script may repeat itself. */
function differs(document: Document, part: Part): boolean {
  const there = findPart(document, part.kind, part.name);
  if (there === undefined) return false;
  const value = there.get(part.kind);
  return !isDeepStrictEqual(isMap(value) ? value.toJSON() : value, part.value);
}

function put(document: Document, part: Part): void {
  const there = findPart(document, part.kind, part.name);
  if (there === undefined) {
    const item = document.createNode({ name: part.name, [part.kind]: part.value });
    listIn(document, LIST_OF[part.kind]).add(item);
  } else if (differs(document, part)) there.set(part.kind, document.createNode(part.value));
}

function listIn(document: Document, key: string): YAMLSeq {
  const list = document.get(key);
  if (isSeq(list)) {
    if (list.items.length === 0 && isMap(document.contents)) list.flow = document.contents.flow === true;
    return list;
  }
  const made = document.createNode([]);
  document.set(key, made);
  return made;
}

/** Lists stay indented as they were. */
function print(document: Document, before: string): string {
  const indented = /^(clusters|contexts|users):[ \t]*\r?\n[ \t]+-/m.test(before);
  return document.toString({ ...TO_STRING, indentSeq: indented });
}
