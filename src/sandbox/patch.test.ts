import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiError } from "./errors.ts";
import type { Json } from "./json.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patch.ts";

interface Case {
  readonly name: string;
  readonly target: Json;
  readonly patch: Json;
  readonly result: Json;
}

const containers: [Json, Json] = [
  { name: "a", image: "a:1", env: [{ name: "X", value: "1" }] },
  { name: "b", image: "b:1" },
];

const strategic: readonly Case[] = [
  { name: "null removes", target: { a: 1, b: 2 }, patch: { a: null }, result: { b: 2 } },
  {
    name: "containers are merged by name, their env by name",
    target: { containers },
    patch: { containers: [{ name: "a", env: [{ name: "Y", value: "2" }] }] },
    result: {
      containers: [
        {
          name: "a",
          image: "a:1",
          env: [
            { name: "X", value: "1" },
            { name: "Y", value: "2" },
          ],
        },
        { name: "b", image: "b:1" },
      ],
    },
  },
  {
    name: "$patch: delete takes an item out",
    target: { containers },
    patch: { containers: [{ name: "a", $patch: "delete" }] },
    result: { containers: [{ name: "b", image: "b:1" }] },
  },
  {
    name: "$patch: replace takes the patch as it is",
    target: { data: { a: "1" } },
    patch: { data: { $patch: "replace", b: "2" } },
    result: { data: { b: "2" } },
  },
  {
    name: "ports of a container are told apart by containerPort, those of a service by port",
    target: { ports: [{ port: 80, name: "http" }] },
    patch: { ports: [{ port: 80, targetPort: 8080 }] },
    result: { ports: [{ port: 80, name: "http", targetPort: 8080 }] },
  },
  {
    name: "$setElementOrder orders",
    target: { containers },
    patch: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
    result: { containers: [containers[1], containers[0]] },
  },
  {
    name: "words are added and taken out",
    target: { finalizers: ["x", "y"] },
    patch: { "$deleteFromPrimitiveList/finalizers": ["x"], finalizers: ["z"] },
    result: { finalizers: ["y", "z"] },
  },
  {
    name: "other lists are replaced",
    target: { args: ["a", "b"] },
    patch: { args: ["c"] },
    result: { args: ["c"] },
  },
];

const merging: readonly Case[] = [
  {
    name: "objects are merged",
    target: { a: { b: 1 } },
    patch: { a: { c: 2 } },
    result: { a: { b: 1, c: 2 } },
  },
  { name: "null removes", target: { a: 1 }, patch: { a: null }, result: {} },
  { name: "lists are replaced", target: { a: [1, 2] }, patch: { a: [3] }, result: { a: [3] } },
];

const operating: readonly Case[] = [
  { name: "add", target: { a: {} }, patch: [{ op: "add", path: "/a/b", value: 1 }], result: { a: { b: 1 } } },
  {
    name: "add into a list",
    target: [1, 3],
    patch: [{ op: "add", path: "/1", value: 2 }],
    result: [1, 2, 3],
  },
  { name: "add at a list's end", target: [1], patch: [{ op: "add", path: "/-", value: 2 }], result: [1, 2] },
  { name: "remove", target: { a: 1, b: 2 }, patch: [{ op: "remove", path: "/a" }], result: { b: 2 } },
  { name: "replace", target: [1, 2], patch: [{ op: "replace", path: "/0", value: 9 }], result: [9, 2] },
  { name: "move", target: { a: 1 }, patch: [{ op: "move", from: "/a", path: "/b" }], result: { b: 1 } },
  {
    name: "copy",
    target: { a: [1] },
    patch: [{ op: "copy", from: "/a", path: "/b" }],
    result: { a: [1], b: [1] },
  },
  {
    name: "escaped names",
    target: { "x/y": 1 },
    patch: [{ op: "replace", path: "/x~1y", value: 2 }],
    result: { "x/y": 2 },
  },
];

const refused: readonly (readonly [name: string, patch: Json])[] = [
  ["a test that fails", [{ op: "test", path: "/a", value: 2 }]],
  ["removing what is not there", [{ op: "remove", path: "/none" }]],
  ["adding under what is not there", [{ op: "add", path: "/none/a", value: 1 }]],
  ["an operation that does not exist", [{ op: "swap", path: "/a" }]],
  ["no list", { op: "add" }],
];

for (const [kind, apply, cases] of [
  ["a strategic merge patch", strategicMergePatch, strategic],
  ["a merge patch (RFC 7396)", mergePatch, merging],
  ["a JSON patch (RFC 6902)", jsonPatch, operating],
] as const) {
  describe(kind, () => {
    for (const { name, target, patch, result } of cases) {
      it(name, () => {
        const before = JSON.stringify(target);
        assert.deepEqual(apply(target, patch), result);
        assert.equal(JSON.stringify(target), before, "the given object is left alone");
      });
    }
  });
}

describe("a JSON patch is refused", () => {
  for (const [name, patch] of refused) {
    it(name, () => {
      assert.throws(() => jsonPatch({ a: 1 }, patch), ApiError);
    });
  }
});
