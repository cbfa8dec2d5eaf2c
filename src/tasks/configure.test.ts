import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatDiagnostic } from "../model/index.ts";
import { configure } from "./configure.ts";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-configure-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a mistake in the text, a reference to nothing and a missing certificate are told in one pass", () => {
  const told = problemsOf(`defaults
    mode http
    timeout connect 10s
    timeout cleint 1h
frontend f
    bind 127.0.0.1:6443 ssl crt ${folder}/nowhere.pem alpn h2,http/1.1
    default_backend nope
backend b
    server s 127.0.0.1:6443 ssl verify required ca-file ${folder}/no-ca.pem verifyhost kubernetes
`);
  assert.match(told, /:4:\d+: error: unknown timeout "cleint"/);
  assert.match(told, /:6:\d+: error: .*nowhere\.pem/);
  assert.match(told, /:7:\d+: error: .*nope/);
  assert.match(told, /:9:\d+: error: .*no-ca\.pem/);
});

test("a line that could not be read is told of once, not again by what it lacks", () => {
  const told = problemsOf(`frontend f
    bind 127.0.0.1:6443 ssl crtt ${folder}/nowhere.pem
    default_backend b
backend b
    server s 127.0.0.1:6443
`);
  assert.equal(told.split("\n").filter((line) => line.includes("haproxy.cfg:2:")).length, 1, told);
});

test("whatever a case of haproxy.cfg holds, it ends in problems or a configuration, never in an exception", () => {
  const cases = fileURLToPath(new URL("../../../src/formats/haproxy/cases", import.meta.url));
  const files = readdirSync(cases).filter((name) => name.endsWith(".case"));
  assert.ok(files.length > 50);
  for (const name of files) {
    const [input = ""] = readFileSync(join(cases, name), "utf8").split("\n----");
    const file = join(folder, "case.cfg");
    writeFileSync(file, input);
    const { problems, ready } = configure(file, {});
    assert.ok(ready !== undefined || problems.some(({ severity }) => severity === "error"), name);
  }
});

function problemsOf(text: string): string {
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, text);
  return configure(file, {}).problems.map(formatDiagnostic).join("\n");
}
