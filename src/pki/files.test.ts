import assert from "node:assert/strict";
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writePublicFile, writeSecretFile } from "./index.ts";
import { scratch } from "./testing.ts";

const folder = scratch();
const at = (name: string) => join(folder.path, name);
const modeOf = (name: string) => (statSync(at(name)).mode & 0o777).toString(8);

test("a secret file is its owner's alone, a public one everybody's to read", () => {
  const umask = process.umask(0);
  try {
    writeSecretFile(at("secret"), "s");
    writePublicFile(at("public"), "p");
  } finally {
    process.umask(umask);
  }
  assert.equal(modeOf("secret"), "600");
  assert.equal(modeOf("public"), "644");
});

test("a file that is there stays as it is, unless it is to be replaced", () => {
  const path = folder.write("there", "old");
  assert.throws(() => writeSecretFile(path, "new"), {
    code: "exists",
    message: /is there already, and stays/,
  });
  assert.equal(readFileSync(path, "utf8"), "old");
  writeSecretFile(path, "new", { overwrite: true });
  assert.equal(readFileSync(path, "utf8"), "new");
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name.includes(".new")),
    [],
  );
});

test("a replaced secret keeps its group's right to read, and loses everybody else's", () => {
  chmodSync(folder.write("shared", "old"), 0o644);
  writeSecretFile(at("shared"), "new", { overwrite: true });
  assert.equal(modeOf("shared"), "640");
});

test("a symbolic link goes on leading to the file that is replaced", () => {
  folder.write("target", "old");
  symlinkSync(at("target"), at("link"));
  writeSecretFile(at("link"), "new", { overwrite: true });
  assert.ok(lstatSync(at("link")).isSymbolicLink());
  assert.equal(readFileSync(at("target"), "utf8"), "new");
});

test("where it cannot write it says why", () => {
  assert.throws(() => writeSecretFile(at("no/file"), "x"), {
    code: "cannot_write",
    message: /folder does not exist/,
  });
  assert.throws(() => writeSecretFile(folder.path, "x", { overwrite: true }), { message: /it is a folder/ });
});
