import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it, type TestContext } from "node:test";
import { issueServerCertificate } from "../src/pki/index.ts";
import type { Sandbox } from "../src/sandbox/index.ts";
import { ADMIN_TOKEN, makeCa, startApi, type TestCa } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type RunningGate, runGate } from "./support/gate.ts";
import { kubectlVersions } from "./support/kubectl.ts";
import { curl, newHome, runKubectl } from "./support/outsider.ts";
import { freePort, postern, start } from "./support/process.ts";
import { makeRecipeCertificate, recipeConf } from "./support/recipe.ts";

// The recipe's gate when its API server goes, and when it is itself told to go.

let folder: Folder;
let ca: TestCa;

before(async () => {
  folder = await temporaryFolder();
  makeRecipeCertificate(folder);
  ca = await makeCa(folder, "kubernetes");
});
after(() => folder?.remove());

async function api(t: TestContext, port = 0): Promise<Sandbox> {
  const sandbox = await startApi(await issueServerCertificate(ca, { hosts: ["127.0.0.1"] }), ca, port);
  t.after(() => sandbox.close());
  return sandbox;
}

async function gate(t: TestContext, vip: string): Promise<RunningGate> {
  // Checks in a hurry: with the recipe's own it takes three times 2 s to find a server gone.
  const running = await runGate(folder, (port) =>
    recipeConf({ port, folder: folder.path, vip }, [" check ", " check inter 200ms "]),
  );
  t.after(() => running.stop("SIGKILL"));
  return running;
}

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);

describe("the API server goes", () => {
  for (const version of kubectlVersions) {
    it(`kubectl ${version} prints why, with a warm and with a cold cache, and works again when it is back`, async (t) => {
      const first = await api(t);
      const running = await gate(t, `127.0.0.1:${first.port}`);
      const cluster = { server: `https://127.0.0.1:${running.port}`, "insecure-skip-tls-verify": true };
      const warm = await newHome(folder);
      const get = (home?: string) =>
        runKubectl(
          folder,
          { version, cluster, token: ADMIN_TOKEN, ...(home !== undefined && { home }) },
          ...["get", "pods"],
        );
      assert.equal((await get(warm)).code, 0);

      await first.close();
      await running.wrote(
        /^postern: server \S+ is down: 127\.0\.0\.1:\d+ refuses the connection: is the API server running/m,
      );
      const sentence = "the API server refuses connections from the gate";
      const withCache = await get(warm);
      assert.equal(lastLine(withCache.stderr), `Error from server (ServiceUnavailable): ${sentence}`);
      const without = await get();
      assert.equal(
        lastLine(without.stderr),
        `Error from server (InternalError): an error on the server ("${sentence}") has prevented the request from succeeding`,
      );
      assert.deepEqual([withCache.code, without.code], [1, 1]);

      await api(t, first.port);
      await running.wrote(/^postern: server \S+ is up: 127\.0\.0\.1:\d+ completes the TLS handshake/m);
      const back = await get(warm);
      assert.deepEqual([back.code, back.stderr], [0, ""]);
    });
  }

  it("a name that does not resolve: check warns, run starts, holds the server down and says so", async (t) => {
    const vip = "apiserver.kubernetes.invalid:6443";
    const running = await gate(t, vip);
    await running.wrote(
      /^postern: server backend_kube_apiserver\/kube-apiserver is down: the server's name "apiserver\.kubernetes\.invalid" does not resolve \(\w+\): correct it, or mend the DNS; the gate goes on looking for it$/m,
    );
    const answer = await curl("-k", `https://127.0.0.1:${running.port}/api/v1`);
    assert.match(answer.stdout, /"message":"the API server's name cannot be resolved by the gate"/);
    const check = postern(["check", "-f", folder.file("haproxy.conf")]);
    assert.equal(await check.exited, 0);
    assert.match(
      check.stdout(),
      /haproxy\.conf:31:12: warning: the server name apiserver\.kubernetes\.invalid does not resolve on this machine \(\w+\)\n {4}the gate starts all the same, holds this server down and looks again\n/,
    );
  });
});

describe("the gate is told to go", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} ends it at once when no lane is open, with exit code 0, and frees the port`, async (t) => {
      const running = await gate(t, `127.0.0.1:${(await api(t)).port}`);
      assert.equal((await curl("-k", `https://127.0.0.1:${running.port}/livez`)).code, 0);
      const from = performance.now();
      assert.equal(await running.stop(signal), 0);
      // Far below the grace time of 8 s; a slow machine is given its share.
      assert.ok(performance.now() - from < 4_000);
      const again = createServer().listen(running.port, "0.0.0.0");
      await once(again, "listening");
      again.close();
    });
  }

  it("a follow that is open gets its grace time, a second signal ends it", async (t) => {
    const sandbox = await api(t);
    const running = await gate(t, `127.0.0.1:${sandbox.port}`);
    const follow = start("curl", [
      ...["-skN", "-H", `Authorization: Bearer ${ADMIN_TOKEN}`],
      `https://127.0.0.1:${running.port}/api/v1/namespaces/default/pods/web/log?follow=true`,
    ]);
    t.after(() => follow.stop("SIGKILL"));
    sandbox.appendLog("before the signal");
    await follow.wrote(/before the signal/);
    process.kill(running.pid, "SIGTERM");
    await running.wrote(/^stopping: 1 open connection has 8 s to end; again to stop at once$/m);
    sandbox.appendLog("within the grace time");
    await follow.wrote(/within the grace time/);
    const refused = await curl("-k", `https://127.0.0.1:${running.port}/livez`);
    assert.equal(refused.code, 7);
    assert.equal(await running.stop("SIGTERM"), 0);
    await follow.exited;
  });

  it("a port in use: one line that says so and what to do, exit code 1", async (t) => {
    const holder = createServer().listen(0, "0.0.0.0");
    t.after(() => holder.close());
    await once(holder, "listening");
    const address = holder.address();
    assert.ok(typeof address === "object" && address !== null);
    const port = address.port;
    const vip = `127.0.0.1:${await freePort()}`;
    const file = await folder.write("taken.conf", recipeConf({ port, folder: folder.path, vip }));
    const [run, check] = [postern(["run", "-f", file]), postern(["check", "-f", file])];
    assert.equal(await run.exited, 1);
    assert.equal(
      run.stderr().split("\n").slice(-3).join("\n"),
      `postern: ${file}:24:10: cannot listen on :${port}: the port is in use by another process\n` +
        "    stop the other process (ss -ltnp shows which), or choose another port\n",
    );
    assert.equal(await check.exited, 0);
    assert.match(
      check.stdout(),
      new RegExp(`taken\\.conf:24:10: warning: :${port} is in use by another process\n`),
    );
  });
});
