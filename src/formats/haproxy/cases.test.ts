import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { CASE_INPUT_NAME, readCases } from "../../../test/haproxy-cases.ts";
import { type Configuration, formatDiagnostic, hasErrors, inFileOrder, settle } from "../../model/index.ts";
import { readHaproxy } from "./index.ts";

const cases = readCases();

test("there are cases to run", () => assert.ok(cases.length >= 60, `${cases.length}`));

for (const { name, input, environment, problems, model } of cases) {
  test(name.replaceAll("-", " "), () => {
    const read = readHaproxy(input, CASE_INPUT_NAME, environment);
    const settled = settle(read.draft);
    const all = inFileOrder([...read.problems, ...settled.problems]);
    assert.equal(all.map(formatDiagnostic).join("\n"), problems);
    assert.equal(
      settled.configuration === undefined,
      hasErrors(all),
      "errors and a configuration exclude each other",
    );
    if (model !== undefined) assertPart(plain(settled.configuration), parse(model), "model");
  });
}

/** A model as YAML can write it. */
function plain(configuration: Configuration | undefined): unknown {
  if (configuration === undefined) return undefined;
  const backends = Object.fromEntries(configuration.backends);
  return JSON.parse(JSON.stringify({ ...configuration, backends }));
}

/** Every key that is expected is there with its value; lists are complete; null stands for what is left out. */
function assertPart(actual: unknown, expected: unknown, path: string): void {
  if (expected === null) assert.equal(actual, undefined, path);
  else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is a list`);
    assert.equal(actual.length, expected.length, `length of ${path}: ${JSON.stringify(actual)}`);
    for (const [index, item] of expected.entries()) assertPart(actual[index], item, `${path}[${index}]`);
  } else if (typeof expected === "object") {
    assert.ok(isRecord(actual), `${path} is there`);
    for (const [key, value] of Object.entries(expected)) assertPart(actual[key], value, `${path}.${key}`);
  } else assert.equal(actual, expected, path);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
