import { mergeKeyFor } from "../patch.ts";
import { encodeBytes } from "../protobuf.ts";
import { apiVersionOf, isStored, type Resource, resources } from "../resources.ts";
import { type Definition, definitionOf, definitions, type Shape } from "./definitions.ts";

/**
 * `/openapi/v2` in the only form kubectl < 1.27 reads it: gnostic's `openapi.v2.Document` as protobuf (gnostic
 * openapiv2/OpenAPIv2.proto; the numbers below are its field numbers). With no document at all its `apply` and `create`
 * fail; a kind without a definition is sent unchecked.
 */
export function openApiV2Document(): Buffer {
  const info = Buffer.concat([encodeBytes(1, "Postern sandbox"), encodeBytes(2, "v1")]);
  return Buffer.concat([
    encodeBytes(1, "2.0"),
    encodeBytes(2, info),
    encodeBytes(
      8,
      Buffer.concat(resources.filter(isStored).map((resource) => encodeBytes(2, pathOf(resource)))),
    ),
    encodeBytes(
      9,
      Buffer.concat(definitions.map((definition) => encodeBytes(1, definitionSchema(definition)))),
    ),
  ]);
}

/** The item's path with its PATCH, whose parameters tell whether a dry run is known. */
function pathOf(resource: Resource): Buffer {
  const root = `/${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
  const scope = resource.namespaced ? "/namespaces/{namespace}" : "";
  const operation = Buffer.concat([
    ...["dryRun", "fieldManager", "force"].map((name) => encodeBytes(8, queryParameter(name))),
    encodeBytes(13, kindMark(resource, "")),
  ]);
  return named(`${root}${scope}/${resource.plural}/{name}`, encodeBytes(8, operation));
}

function queryParameter(name: string): Buffer {
  const query = Buffer.concat([encodeBytes(2, "query"), encodeBytes(4, name)]);
  return encodeBytes(1, encodeBytes(2, encodeBytes(3, query)));
}

function definitionSchema(definition: Definition): Buffer {
  const resource = resources.find((candidate) => definitionOf(candidate) === definition);
  const properties = definition.fields.map((field) =>
    encodeBytes(1, named(field.name, fieldSchema(field.name, field.shape, field.description))),
  );
  const schema = Buffer.concat([
    encodeBytes(4, definition.description),
    encodeBytes(22, encodeBytes(1, "object")),
    encodeBytes(25, Buffer.concat(properties)),
    resource === undefined ? Buffer.alloc(0) : encodeBytes(31, kindMark(resource, "- ")),
  ]);
  return named(definition.name, schema);
}

function fieldSchema(name: string, shape: Shape, description: string): Buffer {
  const key = shape.is === "list" ? mergeKeyFor(name) : undefined;
  const marks =
    key === undefined
      ? []
      : [
          encodeBytes(31, named("x-kubernetes-patch-merge-key", yaml(key))),
          encodeBytes(31, named("x-kubernetes-patch-strategy", yaml("merge"))),
        ];
  return Buffer.concat([shapeSchema(shape), encodeBytes(4, description), ...marks]);
}

function shapeSchema(shape: Shape): Buffer {
  switch (shape.is) {
    case "text":
      return type("string");
    case "integer":
    case "boolean":
      return type(shape.is);
    case "quantity":
      return Buffer.concat([encodeBytes(2, "int-or-string"), type("string")]);
    case "anything":
      return Buffer.alloc(0);
    case "list":
      return Buffer.concat([type("array"), encodeBytes(23, encodeBytes(1, shapeSchema(shape.of)))]);
    case "map":
      return Buffer.concat([type("object"), encodeBytes(21, encodeBytes(1, shapeSchema(shape.of)))]);
    case "reference":
      return encodeBytes(1, `#/definitions/${shape.to}`);
  }
}

function type(name: string): Buffer {
  return encodeBytes(22, encodeBytes(1, name));
}

/** The extension that ties a schema or an operation to a kind; a list for the one, a single entry for the other. */
function kindMark(resource: Resource, bullet: "- " | ""): Buffer {
  const indent = " ".repeat(bullet.length);
  const { group, version, kind } = resource;
  const text = `${bullet}group: "${group}"\n${indent}version: ${version}\n${indent}kind: ${kind}\n`;
  return named("x-kubernetes-group-version-kind", yaml(text));
}

/** A named value of any kind: name is 1, value 2. */
function named(name: string, value: Buffer): Buffer {
  return Buffer.concat([encodeBytes(1, name), encodeBytes(2, value)]);
}

/** gnostic's Any: the value as YAML text. */
function yaml(text: string): Buffer {
  return encodeBytes(2, text);
}
