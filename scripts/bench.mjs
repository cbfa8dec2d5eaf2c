// npm run bench: everything the bench needs, then the bench.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { build, needDebianPackages, needNode, needNpmPackages, root } from "./setup.mjs";

needNode();
needDebianPackages({ haproxy: "haproxy", nginx: "nginx", h2load: "nghttp2-client" });
needNpmPackages();
build();

const bench = spawn(
  process.execPath,
  ["--enable-source-maps", join(root, "dist", "bench", "index.js"), ...process.argv.slice(2)],
  {
    stdio: "inherit",
  },
);
bench.on("exit", (code) => process.exit(code ?? 1));
