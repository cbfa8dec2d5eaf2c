import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { makeAuthority } from "../../../test/support/kubectl-tls.ts";
import { mastersGroup, viewersGroup } from "../auth.ts";
import { podEchoPort, podHttpPort } from "../pod-ports.ts";
import { type Sandbox, startSandbox } from "../sandbox.ts";
import type { ApiTarget } from "./connect.ts";
import { exec } from "./exec.ts";
import { openPortForward } from "./port-forward.ts";
import { annotationPatch, followLog, list, request, watchOne } from "./request.ts";

const authority = makeAuthority();
const pods = "/api/v1/namespaces/default/pods";
const web = `${pods}/web`;
const transports = ["websocket", "spdy"] as const;
const versions = ["1.1", "2"] as const;

let sandbox: Sandbox;
let admin: ApiTarget;

before(async () => {
  sandbox = await startSandbox({
    tls: authority.server,
    ca: authority.ca,
    clientCa: authority.ca,
    logIntervalMs: 50,
    tokens: {
      "admin-token": { name: "admin", groups: [mastersGroup] },
      "viewer-token": { name: "system:serviceaccount:default:robot", groups: [viewersGroup] },
    },
  });
  admin = { url: sandbox.url, ca: authority.ca, token: "admin-token" };
});
after(() => sandbox.close());

for (const http of versions) {
  describe(`over HTTP/${http}`, () => {
    it("lists", async () => {
      assert.deepEqual((await list(admin, pods, http)).names, ["web"]);
      assert.equal(sandbox.requests.at(-1)?.httpVersion, http === "2" ? "2.0" : "1.1");
    });

    it("watches one event", async () => {
      const patch = (): Promise<unknown> =>
        request(admin, web, {
          http,
          method: "PATCH",
          body: annotationPatch("touched-over", http),
          contentType: "application/merge-patch+json",
        });
      assert.deepEqual(await watchOne(admin, pods, patch, http), { type: "MODIFIED", name: "web" });
    });

    it("follows a log", async () => {
      const lines = await followLog(admin, `${web}/log`, 2, http);
      assert.equal(lines.length, 2);
      for (const line of lines) assert.match(line, /^still here, \d+$/);
    });

    it("shows the refusal of an anonymous request", async () => {
      const answer = await request({ url: sandbox.url, ca: authority.ca }, "/", { http });
      assert.equal(answer.status, 403);
      assert.match(answer.text, /User \\"system:anonymous\\" cannot get path \\"\/\\"/);
    });

    it("is known by a client certificate", async () => {
      const target = { url: sandbox.url, ca: authority.ca, ...authority.admin };
      assert.deepEqual((await list(target, pods, http)).names, ["web"]);
    });
  });
}

for (const transport of transports) {
  describe(`over ${transport}`, () => {
    it("runs a command and tells its output and exit code", async () => {
      const result = await exec(admin, web, ["sh", "-c", "echo out; echo err >&2; exit 3"], { transport });
      assert.deepEqual(result, { stdout: "out\n", stderr: "err\n", exitCode: 3 });
    });

    it("carries input both ways and ends it, megabytes too", async () => {
      const stdin = "0123456789abcdef".repeat(1 << 17);
      const result = await exec(admin, web, ["cat"], { transport, stdin });
      assert.equal(result.exitCode, 0);
      assert.ok(result.stdout === stdin);
    });

    it("gives a command a terminal of the client's size", async () => {
      const tty = { columns: 97, rows: 31 };
      const result = await exec(admin, web, ["sh", "-c", "stty size; exit 5"], { transport, tty });
      assert.deepEqual(result, { stdout: "31 97\r\n", stderr: "", exitCode: 5 });
    });

    it("tells a program that is not there from an exit code", async () => {
      await assert.rejects(exec(admin, web, ["no-such-program"], { transport }), /executable file not found/);
    });

    it("forwards several connections at once and keeps half-close", async () => {
      const forward = await openPortForward(admin, web, transport);
      const texts = ["one", "two".repeat(50_000), "three"];
      const answers = await Promise.all(texts.map((text) => forward.exchange(podEchoPort, text)));
      assert.ok(answers.every((answer, index) => answer.toString() === texts[index]));
      const page = await forward.exchange(podHttpPort, "GET /hello HTTP/1.0\r\n\r\n");
      assert.match(page.toString(), /hello from the sandbox: GET \/hello/);
      forward.close();
    });

    it("tells when nothing listens at the pod's port", async () => {
      const forward = await openPortForward(admin, web, transport);
      await assert.rejects(forward.exchange(81, ""), /error forwarding port 81 .* connection refused/);
      forward.close();
    });

    it("leaves no stream open", async () => {
      await exec(admin, web, ["true"], { transport });
      await waitFor(() => sandbox.openStreams() === 0);
    });
  });
}

describe("what goes wrong", () => {
  const cases: readonly (readonly [name: string, target: () => ApiTarget, problem: RegExp])[] = [
    ["nobody listens", () => ({ url: "https://127.0.0.1:1" }), /nothing listens at 127\.0\.0\.1:1/],
    ["an unknown CA", () => ({ url: sandbox.url }), /certificate of 127\.0\.0\.1:\d+ is not trusted/],
    [
      "another name",
      () => ({ ...admin, servername: "other.example" }),
      /does not match certificate's altnames/,
    ],
    ["a wrong token", () => ({ ...admin, token: "wrong" }), /answered with 401: Unauthorized/],
  ];
  for (const [name, target, problem] of cases) {
    it(`says so: ${name}`, async () => {
      await assert.rejects(list(target(), pods), problem);
    });
  }

  it("verifies the server name it is told", async () => {
    assert.deepEqual((await list({ ...admin, servername: "kubernetes" }, pods)).names, ["web"]);
    assert.equal(sandbox.requests.at(-1)?.serverName, "kubernetes");
  });

  it("passes on why an exec was refused", async () => {
    const viewer = { ...admin, token: "viewer-token" };
    for (const transport of transports) {
      await assert.rejects(exec(viewer, web, ["true"], { transport }), /403: pods "web" is forbidden/);
    }
  });

  it("does not wait for ever", async () => {
    const hasty = { ...admin, timeoutMs: 100 };
    await assert.rejects(exec(hasty, web, ["sleep", "20"]), /exec of sleep: no end after 0\.1 s/);
    await waitFor(() => sandbox.openStreams() === 0);
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("it did not come about");
}
