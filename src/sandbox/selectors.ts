import { badRequest } from "./errors.ts";
import { isObject, type KubeObject, textAt } from "./json.ts";
import type { Resource } from "./resources.ts";

export type Selector = (object: KubeObject) => boolean;

/**
 * Both selectors of a list, watch or deletecollection as one test.
 * @throws ApiError BadRequest when one cannot be read, or names a field that cannot be selected by
 */
export function readSelectors(resource: Resource, query: URLSearchParams): Selector {
  const byLabel = readLabelSelector(query.get("labelSelector") ?? "");
  const byField = readFieldSelector(resource, query.get("fieldSelector") ?? "");
  return (object) => byLabel(object) && byField(object);
}

/** apimachinery pkg/labels/selector.go: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
function readLabelSelector(text: string): Selector {
  const tests = splitOutsideParentheses(text).map(readLabelRequirement);
  return (object) => {
    const labels = object.metadata.labels;
    const values = isObject(labels) ? labels : {};
    return tests.every((test) => test(values[test.key] === undefined ? undefined : textAt(values, test.key)));
  };
}

type LabelTest = ((value: string | undefined) => boolean) & { readonly key: string };

function readLabelRequirement(text: string): LabelTest {
  const set = /^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null) {
    const wanted = set[3]!.split(",").map((word) => word.trim());
    const isIn = set[2] === "in";
    return labelTest(set[1]!, (value) => (value !== undefined && wanted.includes(value)) === isIn);
  }
  const equality = /^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)$/.exec(text);
  if (equality !== null) {
    const isEqual = equality[2] !== "!=";
    return labelTest(equality[1]!, (value) => (value === equality[3]) === isEqual);
  }
  const existence = /^(!?)\s*([^\s!=,()]+)$/.exec(text);
  if (existence !== null)
    return labelTest(existence[2]!, (value) => (value !== undefined) === (existence[1] === ""));
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
}

function labelTest(key: string, test: (value: string | undefined) => boolean): LabelTest {
  return Object.assign(test, { key });
}

/** Fields beyond metadata.name and metadata.namespace that may be selected by (registry/*\/strategy.go). */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  pods: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
  ],
  events: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
  ],
  namespaces: ["status.phase"],
  secrets: ["type"],
};

/** apimachinery pkg/fields/selector.go: `a=b,c!=d`. */
function readFieldSelector(resource: Resource, text: string): Selector {
  const known = ["metadata.name", "metadata.namespace", ...(selectableFields[resource.plural] ?? [])];
  const tests = splitOutsideParentheses(text).map((part): Selector => {
    const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    const [, field = "", operator, value = ""] = match;
    if (!known.includes(field)) throw badRequest(`field label not supported: ${field}`);
    const path = field.split(".");
    return (object) => (textAt(object, ...path) === value) === (operator !== "!=");
  });
  return (object) => tests.every((test) => test(object));
}

function splitOutsideParentheses(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
