import assert from "node:assert/strict";
import { test } from "node:test";
import { type Candidate, carriesName, certificateChooser } from "./index.ts";

const candidates: Candidate<string>[] = [
  { names: ["*"], value: "recipe" },
  { names: ["a.example.com"], value: "exact" },
  { names: ["*.example.com"], value: "wildcard" },
  { names: ["a.example.com", "*.example.com"], value: "late" },
];

const choices: {
  name: string;
  serverName: string | undefined;
  chosen: string;
  strict: string | undefined;
}[] = [
  { name: "the exact name", serverName: "a.example.com", chosen: "exact", strict: "exact" },
  { name: "a wildcard for one label", serverName: "b.example.com", chosen: "wildcard", strict: "wildcard" },
  { name: "no wildcard for two labels", serverName: "x.y.example.com", chosen: "recipe", strict: undefined },
  { name: "no wildcard for no label", serverName: "example.com", chosen: "recipe", strict: undefined },
  {
    name: "a name in capitals, with a dot at its end",
    serverName: "A.Example.COM.",
    chosen: "exact",
    strict: "exact",
  },
  { name: "an unknown name", serverName: "nobody.test", chosen: "recipe", strict: undefined },
  {
    name: "a name without dots, which CN=* does not match",
    serverName: "localhost",
    chosen: "recipe",
    strict: undefined,
  },
  { name: "a star, which is no name", serverName: "*", chosen: "recipe", strict: undefined },
  { name: "a wildcard as server name", serverName: "*.example.com", chosen: "wildcard", strict: "wildcard" },
  { name: "an empty name", serverName: "", chosen: "recipe", strict: undefined },
  { name: "no server name", serverName: undefined, chosen: "recipe", strict: undefined },
];

for (const { name, serverName, chosen, strict } of choices) {
  test(`chooses a certificate for ${name}`, () => {
    assert.equal(certificateChooser(candidates, false)(serverName), chosen);
    assert.equal(certificateChooser(candidates, true)(serverName), strict);
  });
}

test("without certificates nothing is chosen", () => {
  assert.equal(certificateChooser([], false)("a.example.com"), undefined);
});

test("the default certificate carries no name by being the default", () => {
  assert.equal(carriesName(candidates, "*.example.com"), true);
  assert.equal(carriesName(candidates, "c.example.com"), true);
  assert.equal(carriesName(candidates, "nobody.test"), false);
});
