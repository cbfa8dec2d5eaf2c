// npm run demo [-- FLAGS]: everything the demo needs, then the demo.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { build, needNode, needNpmPackages, root } from "./setup.mjs";

needNode();
needNpmPackages();
build();

const demo = spawn(process.execPath, [join(root, "bin", "postern"), "demo", ...process.argv.slice(2)], {
  stdio: "inherit",
});
// Ctrl-C reaches the demo from the terminal; this process only waits for it.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => demo.kill("SIGTERM"));
demo.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 70 : 1)));
