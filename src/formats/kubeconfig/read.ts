import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type ToStringOptions,
  type YAMLMap,
} from "yaml";
import type { Diagnostic, Position } from "../../model/index.ts";

/** The lists of a kubeconfig by what an item of theirs holds. */
export const LIST_OF = { cluster: "clusters", user: "users", context: "contexts" } as const;
export type PartKind = keyof typeof LIST_OF;

/** As kubectl writes: base64 on one line however long, lists not indented. */
export const TO_STRING: ToStringOptions = { lineWidth: 0, indentSeq: false };

export interface ReadKubeconfig {
  /** With its comments and all that we do not know; undefined when there are problems. */
  readonly document: Document | undefined;
  readonly problems: readonly Diagnostic[];
}

/**
 * Reads a kubeconfig as far as adding to it needs: YAML (or JSON) with a mapping at its top and lists of named items.
 * No message quotes the text, for it holds tokens and keys.
 * @param file  its name, for messages
 */
export function readKubeconfig(text: string, file: string): ReadKubeconfig {
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = document.errors.map(({ code, pos }) =>
    problem(place(pos[0]), `this is not valid YAML (${code.toLowerCase().replaceAll("_", " ")})`),
  );
  if (problems.length === 0) problems.push(...judgeShape(document, place));
  return { document: problems.length === 0 ? document : undefined, problems };
}

/** The item of that kind and name. */
export function findPart(document: Document, kind: PartKind, name: string): YAMLMap | undefined {
  const list = document.get(LIST_OF[kind]);
  if (!isSeq(list)) return undefined;
  return list.items.filter(isMap).find((item) => item.get("name") === name);
}

function judgeShape(document: Document, place: (offset: number) => Position): Diagnostic[] {
  const { contents } = document;
  if (contents === null) return [];
  const start = place(contents.range?.[0] ?? 0);
  if (!isMap(contents))
    return [problem(start, "this is not a kubeconfig: it is no mapping of keys to values")];
  const kind = document.get("kind");
  if (kind !== undefined && kind !== "Config") {
    return [
      problem(start, "this is not a kubeconfig: its kind is another", "a kubeconfig says: kind: Config"),
    ];
  }
  return Object.values(LIST_OF).flatMap((key) => {
    const list = document.get(key, true);
    const isEmpty = list === undefined || (isScalar(list) && list.value === null);
    if (isEmpty || (isSeq(list) && list.items.every((item) => isMap(item) && item.has("name")))) return [];
    return [
      problem(
        isNode(list) ? place(list.range?.[0] ?? 0) : start,
        `"${key}" must be a list of items with a name`,
      ),
    ];
  });
}

function problem(at: Position, message: string, hint?: string): Diagnostic {
  return { severity: "error", at, message, ...(hint !== undefined && { hint }) };
}
