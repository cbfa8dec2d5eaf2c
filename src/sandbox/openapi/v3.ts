import { createHash } from "node:crypto";
import type { JsonObject } from "../json.ts";
import { mergeKeyFor } from "../patch.ts";
import { apiVersionOf, isStored, type Resource, resources } from "../resources.ts";
import { type Definition, definitionOf, definitions, type Shape } from "./definitions.ts";

/** `/openapi/v3`: where the document of each group and version stands. */
export function openApiV3Index(): JsonObject {
  const paths: JsonObject = {};
  for (const root of groupRoots()) {
    const hash = createHash("sha256")
      .update(JSON.stringify(openApiV3Document(root)))
      .digest("hex")
      .toUpperCase();
    paths[root] = { serverRelativeURL: `/openapi/v3/${root}?hash=${hash}` };
  }
  return { paths };
}

/**
 * `/openapi/v3/ROOT`; undefined when there is none.
 * @param root  `api/v1`, `apis/apps/v1`
 */
export function openApiV3Document(root: string): JsonObject | undefined {
  if (!groupRoots().includes(root)) return undefined;
  const shown = resources.filter((resource) => rootOf(resource) === root && isStored(resource));
  const known = definitions.map((definition) => [definition.name, schemaOf(definition, shown)] as const);
  const unknown = shown
    .filter((resource) => definitionOf(resource) === undefined)
    .map((resource) => [schemaName(resource), { type: "object", ...kindMark(resource) }] as const);
  return {
    openapi: "3.0.0",
    info: { title: "Postern sandbox", version: "v1" },
    paths: Object.fromEntries(shown.flatMap(pathsOf)),
    components: { schemas: Object.fromEntries([...known, ...unknown]) },
  };
}

function groupRoots(): string[] {
  return [...new Set(resources.map(rootOf))];
}

function rootOf(resource: Resource): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}

function schemaName(resource: Resource): string {
  const definition = definitionOf(resource);
  return (
    definition?.name ?? `io.k8s.api.${resource.group.split(".")[0]}.${resource.version}.${resource.kind}`
  );
}

function kindMark(resource: Resource): JsonObject {
  const { group, version, kind } = resource;
  return { "x-kubernetes-group-version-kind": [{ group, version, kind }] };
}

function schemaOf(definition: Definition, shown: readonly Resource[]): JsonObject {
  const resource = shown.find((candidate) => definitionOf(candidate) === definition);
  const properties = definition.fields.map(({ name, shape, description }) => [
    name,
    { description, ...shapeSchema(shape), ...mergeMarks(name, shape) },
  ]);
  return {
    type: "object",
    description: definition.description,
    properties: Object.fromEntries(properties),
    ...(resource !== undefined && kindMark(resource)),
  };
}

function shapeSchema(shape: Shape): JsonObject {
  switch (shape.is) {
    case "text":
      return { type: "string" };
    case "integer":
    case "boolean":
      return { type: shape.is };
    case "quantity":
      return { oneOf: [{ type: "integer" }, { type: "string" }], format: "int-or-string" };
    case "anything":
      return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    case "list":
      return { type: "array", items: shapeSchema(shape.of) };
    case "map":
      return { type: "object", additionalProperties: shapeSchema(shape.of) };
    case "reference":
      return { allOf: [{ $ref: `#/components/schemas/${shape.to}` }] };
  }
}

/** How a patch treats the list: merged by a field of its items. */
export function mergeMarks(name: string, shape: Shape): JsonObject {
  const key = shape.is === "list" ? mergeKeyFor(name) : undefined;
  return key === undefined
    ? {}
    : { "x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge" };
}

/** kubectl looks here for what a kind's PATCH takes; bodies are left out, so that it makes patches from its own types. */
function pathsOf(resource: Resource): [string, JsonObject][] {
  const scope = resource.namespaced ? "/namespaces/{namespace}" : "";
  const collection = `/${rootOf(resource)}${scope}/${resource.plural}`;
  const operation = (action: string, parameters: readonly string[]): JsonObject => ({
    operationId: `${action}${resource.kind}`,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": {
      group: resource.group,
      version: resource.version,
      kind: resource.kind,
    },
    parameters: parameters.map((name) => ({ name, in: "query", schema: { type: "string" } })),
    responses: { "200": { description: "OK" } },
  });
  const writing = ["dryRun", "fieldManager", "fieldValidation"];
  return [
    [collection, { get: operation("list", ["limit", "continue"]), post: operation("post", writing) }],
    [`${collection}/{name}`, { get: operation("get", []), patch: operation("patch", [...writing, "force"]) }],
  ];
}
