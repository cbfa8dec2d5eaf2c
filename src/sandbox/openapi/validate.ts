import { isObject, type Json, type KubeObject } from "../json.ts";
import type { Resource } from "../resources.ts";
import { type Definition, definitionNamed, definitionOf, type Shape } from "./definitions.ts";

/** The fields of an object that its kind does not have, as paths: `spec.containers[0].imagee`. Empty when not known. */
export function unknownFields(resource: Resource, object: KubeObject): string[] {
  const definition = definitionOf(resource);
  return definition === undefined ? [] : inDefinition(object, definition, "");
}

function inDefinition(value: Json, definition: Definition, path: string): string[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const field = definition.fields.find((candidate) => candidate.name === name);
    const innerPath = path === "" ? name : `${path}.${name}`;
    return field === undefined ? [innerPath] : inShape(inner, field.shape, innerPath);
  });
}

function inShape(value: Json, shape: Shape, path: string): string[] {
  if (shape.is === "list" && Array.isArray(value)) {
    return value.flatMap((item, index) => inShape(item, shape.of, `${path}[${index}]`));
  }
  const definition = shape.is === "reference" ? definitionNamed(shape.to) : undefined;
  return definition === undefined ? [] : inDefinition(value, definition, path);
}
