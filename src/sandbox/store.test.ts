import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiError } from "./errors.ts";
import type { KubeObject } from "./json.ts";
import { resourceNamed } from "./resources.ts";
import { readSelectors } from "./selectors.ts";
import { type Change, Store } from "./store.ts";

const configMaps = resourceNamed("configmaps");

function map(name: string, data: Record<string, string> = {}, namespace = "default"): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels: data }, data };
}

function refuses(code: number, reason: string): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.code === code && error.reason === reason;
}

describe("the store", () => {
  it("counts every change of any kind in one resourceVersion", () => {
    const store = new Store();
    const first = store.create(configMaps, map("a"));
    const second = store.create(resourceNamed("secrets"), map("a"));
    assert.equal(Number(second.metadata.resourceVersion), Number(first.metadata.resourceVersion) + 1);
    assert.equal(store.revision, Number(second.metadata.resourceVersion));
  });

  it("leaves the version alone when nothing changes", () => {
    const store = new Store();
    const made = store.create(configMaps, map("a", { x: "1" }));
    assert.equal(store.replace(configMaps, map("a", { x: "1" })), made);
  });

  it("refuses a stale version with 409", () => {
    const store = new Store();
    const made = store.create(configMaps, map("a"));
    store.replace(configMaps, map("a", { x: "1" }));
    assert.throws(() => store.replace(configMaps, made), refuses(409, "Conflict"));
  });

  it("refuses what is there with 409 and what is not there with 404", () => {
    const store = new Store();
    store.create(configMaps, map("a"));
    assert.throws(() => store.create(configMaps, map("a")), refuses(409, "AlreadyExists"));
    assert.throws(
      () => store.remove(configMaps, { namespace: "default", name: "b" }),
      refuses(404, "NotFound"),
    );
  });

  it("refuses names that are none with 422", () => {
    for (const name of ["", "Upper", "under_score", "-dash", "a".repeat(254)]) {
      assert.throws(() => new Store().create(configMaps, map(name)), refuses(422, "Invalid"));
    }
  });

  it("makes a name from generateName", () => {
    const object = map("");
    object.metadata.generateName = "made-";
    assert.match(String(new Store().create(configMaps, object).metadata.name), /^made-[0-9a-f]{5}$/);
  });

  it("changes nothing in a dry run", () => {
    const store = new Store();
    store.create(configMaps, map("a"), { dryRun: true });
    assert.equal(store.list(configMaps, "").length, 0);
  });

  it("tells the past first and then what comes", () => {
    const store = new Store();
    store.create(configMaps, map("a"));
    const from = store.revision;
    store.replace(configMaps, map("a", { x: "1" }));
    const seen: string[] = [];
    const unfollow = store.follow(from, (change: Change) => seen.push(change.type));
    store.remove(configMaps, { namespace: "default", name: "a" });
    unfollow();
    store.create(configMaps, map("b"));
    assert.deepEqual(seen, ["MODIFIED", "DELETED"]);
  });

  it("refuses to tell of a past it has forgotten with 410", () => {
    const store = new Store();
    const from = store.revision;
    store.create(configMaps, map("a"));
    store.compact();
    assert.throws(() => store.follow(from, () => {}), refuses(410, "Expired"));
    assert.doesNotThrow(() => store.follow(store.revision, () => {}));
  });

  it("lists one namespace or all, in order", () => {
    const store = new Store();
    for (const [name, namespace] of [
      ["b", "x"],
      ["a", "x"],
      ["a", "w"],
    ] as const) {
      store.create(configMaps, map(name, {}, namespace));
    }
    const names = (namespace: string): string[] =>
      store.list(configMaps, namespace).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    assert.deepEqual(names(""), ["w/a", "x/a", "x/b"]);
    assert.deepEqual(names("x"), ["x/a", "x/b"]);
  });
});

describe("selectors", () => {
  const object = map("web", { app: "web", tier: "front" });
  const cases: readonly (readonly [query: string, selected: boolean])[] = [
    ["labelSelector=app=web", true],
    ["labelSelector=app==db", false],
    ["labelSelector=app!=db,tier", true],
    ["labelSelector=other!=x", true],
    ["labelSelector=app in (db, web)", true],
    ["labelSelector=app notin (db,web)", false],
    ["labelSelector=other notin (x)", true],
    ["labelSelector=!app", false],
    ["labelSelector=!other", true],
    ["fieldSelector=metadata.name=web", true],
    ["fieldSelector=metadata.name!=web", false],
    ["fieldSelector=metadata.name=web,metadata.namespace=other", false],
    ["", true],
  ];
  for (const [query, selected] of cases) {
    it(`${query || "none"} ${selected ? "selects" : "leaves out"}`, () => {
      assert.equal(readSelectors(configMaps, new URLSearchParams(query))(object), selected);
    });
  }

  for (const query of ["labelSelector=a b", "fieldSelector=spec.color=red", "fieldSelector=metadata.name"]) {
    it(`${query} is refused with 400`, () => {
      assert.throws(() => readSelectors(configMaps, new URLSearchParams(query)), refuses(400, "BadRequest"));
    });
  }
});
