import { Document } from "yaml";
import { entryParts, type KubeconfigEntry } from "./entry.ts";
import { LIST_OF, TO_STRING } from "./read.ts";

/** A kubeconfig of its own, with this one context, which is the current one. */
export function writeKubeconfig(entry: KubeconfigEntry): string {
  const { cluster, user, context } = entryParts(entry);
  const named = (part: typeof cluster | typeof context | NonNullable<typeof user>) => ({
    name: part.name,
    [part.kind]: part.value,
  });
  const document = new Document({
    apiVersion: "v1",
    kind: "Config",
    [LIST_OF.cluster]: [named(cluster)],
    [LIST_OF.user]: user === undefined ? [] : [named(user)],
    [LIST_OF.context]: [named(context)],
    "current-context": context.name,
  });
  return document.toString(TO_STRING);
}
