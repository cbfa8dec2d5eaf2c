import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readHaproxy } from "../src/formats/haproxy/index.ts";
import { hasErrors, settle } from "../src/model/index.ts";
import { CASE_INPUT_NAME, type Case, readCases } from "./haproxy-cases.ts";

/** What real HAProxy says to every case, so that a case never claims it from memory, and a difference is never an accident. */

let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-verdicts-"));
  const key = join(folder, "key.pem");
  const certificate = join(folder, "ca.pem");
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
  ];
  execFileSync("openssl", [...request, "-subj", "/CN=gate", "-keyout", key, "-out", certificate], {
    stdio: "ignore",
  });
  const bundle = readFileSync(certificate, "utf8") + readFileSync(key, "utf8");
  for (const name of ["haproxy.pem", "devkubernetes01.pem", "devkubernetes02.pem"])
    writeFileSync(join(folder, name), bundle);
  for (const name of ["dcos-kubernetes-ca.pem", "kubernetes-cluster1-ca.pem", "kubernetes-cluster2-ca.pem"]) {
    writeFileSync(join(folder, name), readFileSync(certificate));
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("the HAProxy asked is 2.6", () => {
  assert.match(execFileSync("haproxy", ["-v"], { encoding: "utf8" }), /version 2\.6\./);
});

for (const row of readCases()) {
  test(`HAProxy ${row.haproxy} "${row.name.replaceAll("-", " ")}"`, () => {
    const { verdict, output } = askHaproxy(row);
    assert.equal(verdict, row.haproxy, output);
    const same = (row.haproxy === "refuses") === refuses(row);
    if (same) assert.equal(row.differs, undefined, "we say the same; there is nothing to explain");
    else
      assert.ok(
        row.differs,
        `we ${refuses(row) ? "refuse" : "accept"} it and HAProxy does not: say why in "# Differs:"`,
      );
  });
}

function refuses({ input, environment }: Case): boolean {
  const read = readHaproxy(input, CASE_INPUT_NAME, environment);
  return hasErrors([...read.problems, ...settle(read.draft).problems]);
}

/** Paths of the recipe lead to real files, and its VIP to a name that resolves here. */
function askHaproxy({ input, environment }: Case): {
  readonly verdict: Case["haproxy"];
  readonly output: string;
} {
  const file = join(folder, CASE_INPUT_NAME);
  const here = (text: string) => text.replaceAll("/haproxy/", `${folder}/`);
  writeFileSync(file, here(input).replaceAll(/apiserver\.[\w-]+\.l4lb\.thisdcos\.directory/g, "localhost"));
  const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, here(value)]));
  const { status, stderr } = spawnSync("haproxy", ["-c", "-f", file], {
    env: { PATH: process.env.PATH ?? "", ...env },
    encoding: "utf8",
  });
  // 2: nothing to listen on, but no error.
  if (status !== 0 && !(status === 2 && stderr.includes("has no error")))
    return { verdict: "refuses", output: stderr };
  return { verdict: stderr.includes("[WARNING]") ? "warns" : "accepts", output: stderr };
}
