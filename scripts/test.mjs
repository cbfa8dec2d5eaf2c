// npm test [-- PATTERN …]: everything the tests need, then all of them, or those whose path contains a PATTERN.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { needKubectl } from "./kubectl.mjs";
import { build, fail, needDebianPackages, needNode, needNpmPackages, root, say } from "./setup.mjs";

needNode();
needDebianPackages({
  haproxy: "haproxy",
  nginx: "nginx",
  "/usr/lib/nginx/modules/ngx_stream_module.so": "libnginx-mod-stream",
  h2load: "nghttp2-client",
  openssl: "openssl",
  curl: "curl",
  unzip: "unzip",
  script: "bsdutils",
  tar: "tar",
});
needNpmPackages();
needKubectl();
build();

const patterns = process.argv.slice(2);
const files = readdirSync(join(root, "dist"), { recursive: true })
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
  .sort()
  .map((name) => relative(process.cwd(), join(root, "dist", name)));
if (files.length === 0) fail(`no test matches ${patterns.join(" ")}`);
say(`Running ${files.length} test files …`);
const tests = spawn(
  process.execPath,
  ["--enable-source-maps", "--test-reporter=spec", "--test", "--test-concurrency=2", ...files],
  {
    stdio: "inherit",
  },
);
tests.on("exit", (code) => process.exit(code ?? 1));
