import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { freePort, postern, untilListening } from "./support/process.ts";

let folder: Folder;

before(async () => {
  folder = await temporaryFolder();
});
after(() => folder.remove());

test("a file that only HAProxy understands is refused by us, and run by --engine haproxy until SIGTERM", async () => {
  const port = await freePort();
  const file = await folder.write(
    "haproxy.cfg",
    `defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend f
    bind 127.0.0.1:${port}
    http-request return status 200 content-type text/plain string "by haproxy" if { path /x }
`,
  );
  const refused = postern(["run", "-f", file]);
  assert.equal(await refused.exited, 1);
  assert.match(refused.stderr(), /--engine haproxy/);

  const running = postern(["run", "-f", file, "--engine", "haproxy"]);
  try {
    await untilListening(port);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/x`)).text(), "by haproxy");
  } finally {
    assert.equal(await running.stop("SIGTERM"), 0);
  }
  await assert.rejects(fetch(`http://127.0.0.1:${port}/x`), "the port is free again");
});

test("HAProxy's own exit code and words come through", async () => {
  const file = await folder.write("broken.cfg", "frontend f\n    bindd :1\n");
  const running = postern(["run", "-f", file, "--engine", "haproxy"]);
  assert.equal(await running.exited, 1);
  assert.match(running.output(), /unknown keyword 'bindd'/);
});

test("without HAProxy on the PATH one line says what to do", async () => {
  const file = await folder.write("any.cfg", "");
  const running = postern(["run", "-f", file, "--engine", "haproxy"], { PATH: folder.path });
  assert.equal(await running.exited, 1);
  assert.equal(
    running.stderr(),
    "postern: HAProxy is not installed\n    Debian: apt-get install haproxy; or run without --engine haproxy\n",
  );
});
