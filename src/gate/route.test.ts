import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backend, Bind, Frontend, Route, ServerNamePattern } from "../model/index.ts";
import { createRouter } from "./route.ts";

const AT = { file: "haproxy.cfg", line: 1, column: 1 };

const ROUTES: readonly Route[] = [
  route("eu", { kind: "exact", value: "eu.example.com" }),
  route("us", { kind: "exact", value: "us.example.com" }),
  route("shadowed", { kind: "exact", value: "eu.example.com" }),
  route("any-eu", { kind: "wildcard", value: "*.eu.example.com" }),
  route("lab", { kind: "suffix", value: ".lab.example.com" }),
  route("late", { kind: "exact", value: "x.lab.example.com" }),
];

for (const row of [
  { rule: "an exact name leads to its backend", name: "eu.example.com", backend: "eu" },
  { rule: "case does not matter, RFC 4343", name: "US.Example.COM", backend: "us" },
  { rule: "a trailing dot does not matter", name: "us.example.com.", backend: "us" },
  { rule: "a wildcard stands for one label", name: "a.eu.example.com", backend: "any-eu" },
  { rule: "a wildcard does not stand for two", name: "b.a.eu.example.com", backend: "fallback" },
  { rule: "a suffix stands for any number", name: "b.a.lab.example.com", backend: "lab" },
  {
    rule: "the first rule in the order written wins over a later exact one",
    name: "x.lab.example.com",
    backend: "lab",
  },
  { rule: "an unknown name takes the default", name: "nobody.example.com", backend: "fallback" },
  { rule: "so does a client without a name", name: undefined, backend: "fallback" },
]) {
  test(row.rule, () => {
    assert.equal(router(ROUTES, "fallback")(row.name)?.backend.name, row.backend);
  });
}

test("without a default an unknown name leads nowhere, and neither does no name", () => {
  const find = router(ROUTES, undefined);
  assert.equal(find("nobody.example.com"), undefined);
  assert.equal(find(undefined), undefined);
});

test("`unless` turns the rule round, for clients without a name as well", () => {
  const find = router(
    [{ ...route("eu", { kind: "exact", value: "us.example.com" }), negate: true }],
    undefined,
  );
  assert.equal(find("us.example.com"), undefined);
  assert.equal(find("anything.example.com")?.backend.name, "eu");
  assert.equal(find(undefined)?.backend.name, "eu");
});

test("ten thousand exact names cost one look-up", () => {
  const many = Array.from({ length: 10_000 }, (_, n) =>
    route("eu", { kind: "exact", value: `c${n}.example.com` }),
  );
  const find = router(many, undefined);
  assert.equal(find("c9999.example.com")?.backend.name, "eu");
  assert.equal(find("c10000.example.com"), undefined);
});

function route(backend: string, ...names: ServerNamePattern[]): Route {
  return { at: AT, names, negate: false, backend, tls: "terminate" };
}

function router(routes: readonly Route[], defaultBackend: string | undefined) {
  const names = [...routes.map(({ backend }) => backend), "fallback"];
  const backends = new Map(names.map((name) => [name, { name } as Backend]));
  const frontend = { mode: "http", routes, defaultBackend } as unknown as Frontend;
  return createRouter(frontend, { tls: {} } as unknown as Bind, backends);
}
