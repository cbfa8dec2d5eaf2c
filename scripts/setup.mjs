// What the two commands of the README need on a fresh machine: npm packages, a build, Debian packages. Plain JavaScript on
// Node's own modules, since nothing is installed yet when it runs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

export function say(text) {
  process.stderr.write(`${text}\n`);
}

export function fail(text) {
  say(text);
  process.exit(1);
}

/** Runs a command with its output on stderr; ends the process with one line when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`failed (exit ${result.status}): ${command} ${args.join(" ")}`);
}

export function needNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) fail(`Node.js 20 or newer is needed; this is ${process.version}. See https://nodejs.org/`);
}

/** `npm ci` in a folder, left out when its lock file has not changed since the last time. */
export function needNpmPackages(folder = root, what = "npm packages") {
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = join(folder, "node_modules", ".postern-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  say(`Installing ${what} (npm ci) …`);
  run("npm", ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
  });
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  writeFileSync(stamp, lock);
}

/** Compiles; a file that was deleted must not live on in the output, so the folder is made anew. */
export function build() {
  say("Building …");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc")]);
}

/** @param wanted  program that must be there → Debian package that brings it */
export function needDebianPackages(wanted) {
  const missing = [
    ...new Set(
      Object.entries(wanted)
        .filter(([program]) => !installed(program))
        .map(([, name]) => name),
    ),
  ];
  if (missing.length === 0) return;
  const list = missing.join(" ");
  const asRoot = rootPrefix();
  if (asRoot === undefined || !installed("apt-get")) {
    fail(`Missing for the tests: ${list}\nAs root: apt-get update && apt-get install -y ${list}`);
  }
  say(`Installing Debian packages: ${list} …`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (args) =>
    run(asRoot[0] ?? "apt-get", [...asRoot.slice(1), ...(asRoot[0] ? ["apt-get"] : []), ...args], {
      env: environment,
    });
  withoutStartingServices(asRoot, () => {
    apt(["update", "-qq"]);
    apt(["install", "-y", "-qq", "--no-install-recommends", ...missing]);
  });
}

/** What goes before a command to run it as root; undefined when it cannot be had without asking. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const sudo = installed("sudo") && spawnSync("sudo", ["-n", "true"]).status === 0;
  return sudo ? ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND"] : undefined;
}

/** Debian starts a server when its package comes; the tests start their own, so a policy says no meanwhile. */
function withoutStartingServices(asRoot, install) {
  const policy = "/usr/sbin/policy-rc.d";
  if (asRoot.length > 0 || existsSync(policy)) return install();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(policy, { force: true });
  }
}

function installed(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return program.startsWith("/")
    ? existsSync(program)
    : folders.some((folder) => existsSync(join(folder, program)));
}
