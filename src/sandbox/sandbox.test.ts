import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { connect as http2Connect } from "node:http2";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { makeAuthority } from "../../test/support/kubectl-tls.ts";
import { mastersGroup, viewersGroup } from "./auth.ts";
import { type ApiTarget, upgrade } from "./client/connect.ts";
import { exec } from "./client/exec.ts";
import { type HttpVersion, request, watchOne } from "./client/request.ts";
import { at, type Json, listAt, parseJson, textAt } from "./json.ts";
import { encodeBytes } from "./protobuf.ts";
import { resourceNamed } from "./resources.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";
import { acceptFor } from "./websocket/handshake.ts";

const authority = makeAuthority();
const tokens = {
  "admin-token": { name: "admin", groups: [mastersGroup] },
  "viewer-token": { name: "system:serviceaccount:default:robot", groups: [viewersGroup] },
};
const base = { tls: authority.server, ca: authority.ca, clientCa: authority.ca, tokens, logIntervalMs: 0 };
const maps = "/api/v1/namespaces/default/configmaps";
const web = "/api/v1/namespaces/default/pods/web";

/** Word for word what the recipe's curl shows. */
const recipeAnswer = `{
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {

  },
  "status": "Failure",
  "message": "forbidden: User \\"system:anonymous\\" cannot get path \\"/\\"",
  "reason": "Forbidden",
  "details": {

  },
  "code": 403
}
`;

let sandbox: Sandbox;
let admin: ApiTarget;
let anonymous: ApiTarget;

before(async () => {
  sandbox = await startSandbox({ ...base, bookmarkMs: 20 });
  anonymous = { url: sandbox.url, ca: authority.ca };
  admin = { ...anonymous, token: "admin-token" };
});
after(() => sandbox.close());

/** One request over a connection of our own, so that the test decides every header line. */
async function raw(...lines: readonly string[]): Promise<void> {
  const socket = tlsConnect({ port: sandbox.port, host: "127.0.0.1", ca: authority.ca });
  socket.end(`${[...lines, "Host: x", "Connection: close"].join("\r\n")}\r\n\r\n`);
  for await (const _chunk of socket) {
    // Only its end is waited for.
  }
}

describe("who asks", () => {
  it("anonymous is answered exactly as the recipe shows", async () => {
    assert.equal((await request(anonymous, "/?pretty=true")).text, recipeAnswer);
    const compact = await request(anonymous, "/");
    assert.deepEqual(parseJson(compact.text), parseJson(recipeAnswer));
    assert.equal(compact.text.split("\n").length, 2);
  });

  for (const path of ["/healthz", "/livez", "/readyz", "/version"]) {
    it(`anonymous may ask for ${path}`, async () => {
      assert.equal((await request(anonymous, path)).status, 200);
    });
  }

  const refused: readonly (readonly [
    what: string,
    who: () => ApiTarget,
    path: string,
    status: number,
    message: RegExp,
  ])[] = [
    ["anonymous discovery", () => anonymous, "/api", 403, /cannot get path "\/api"/],
    [
      "anonymous list",
      () => anonymous,
      "/api/v1/namespaces/default/pods",
      403,
      /^pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"$/,
    ],
    ["an unknown token", () => ({ ...anonymous, token: "x" }), "/version", 401, /^Unauthorized$/],
    [
      "a viewer's look at secrets",
      () => ({ ...anonymous, token: "viewer-token" }),
      "/api/v1/secrets",
      403,
      /cannot list resource "secrets" in API group "" at the cluster scope$/,
    ],
    [
      "a grouped kind",
      () => anonymous,
      "/apis/apps/v1/namespaces/x/deployments/y",
      403,
      /^deployments\.apps "y" is forbidden: .* cannot get resource "deployments" in API group "apps" in the namespace "x"$/,
    ],
  ];
  for (const [what, who, path, status, message] of refused) {
    it(`refuses ${what} with ${status}`, async () => {
      const answer = await request(who(), path);
      assert.equal(answer.status, status);
      assert.match(textAt(parseJson(answer.text), "message"), message);
    });
  }

  it("a certificate of another CA is refused with 401", async () => {
    const stranger = makeAuthority("another CA").admin;
    assert.equal((await request({ ...anonymous, ...stranger }, "/version")).status, 401);
  });

  it("a token may come among the WebSocket subprotocols", async () => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const token = Buffer.from("admin-token").toString("base64url");
    const upgraded = await upgrade(anonymous, "GET", `${web}/exec?command=true&stdout=true`, {
      upgrade: "websocket",
      "sec-websocket-key": key,
      "sec-websocket-version": "13",
      "sec-websocket-protocol": `base64url.bearer.authorization.k8s.io.${token}, v4.channel.k8s.io`,
    });
    upgraded.transport.destroy();
    assert.equal(upgraded.answer.headers["sec-websocket-accept"], acceptFor(key));
    assert.equal(upgraded.answer.headers["sec-websocket-protocol"], "v4.channel.k8s.io");
  });

  it("remembers the heads of the requests, with every line of a repeated header", async () => {
    await raw("GET /readyz?x=1 HTTP/1.1", "X-Remote-Group: a", "X-Remote-Group: b");
    const seen = sandbox.requests.at(-1);
    assert.equal(seen?.url, "/readyz?x=1");
    const groups = seen?.headers.filter(([name]) => name === "x-remote-group").map(([, value]) => value);
    assert.deepEqual(groups, ["a", "b"]);
  });
});

describe("documents", () => {
  const discovery = (version: string): string =>
    `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
  const cases: readonly (readonly [path: string, accept: string, kind: string])[] = [
    ["/api", "application/json", "APIVersions"],
    ["/apis", "application/json", "APIGroupList"],
    ["/api", `${discovery("v2")},${discovery("v2beta1")},application/json`, "APIGroupDiscoveryList"],
    ["/apis", `${discovery("v2beta1")},application/json`, "APIGroupDiscoveryList"],
    ["/api/v1", "application/json", "APIResourceList"],
    ["/apis/apps/v1", "application/json", "APIResourceList"],
    ["/apis/apps", "application/json", "APIGroup"],
  ];
  for (const [path, accept, kind] of cases) {
    it(`${path} as ${accept.split(",")[0]} is a ${kind}`, async () => {
      const value = parseJson((await accepting(path, accept)).text);
      assert.equal(textAt(value, "kind"), kind);
    });
  }

  it("every path of the OpenAPI v3 index leads to a document", async () => {
    const index = parseJson((await request(admin, "/openapi/v3")).text);
    const paths = Object.values(at(index, "paths") ?? {});
    assert.ok(paths.length > 3);
    for (const entry of paths) {
      const answer = await request(admin, textAt(entry, "serverRelativeURL"));
      assert.equal(textAt(parseJson(answer.text), "openapi"), "3.0.0");
    }
  });
});

async function accepting(path: string, accept: string): Promise<{ text: string; type: string }> {
  const session = http2Connect(sandbox.url, { ca: authority.ca });
  const stream = session.request({ ":path": path, authorization: "Bearer admin-token", accept });
  let type = "";
  stream.on("response", (headers) => {
    type = String(headers["content-type"]);
  });
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  session.destroy();
  return { text, type };
}

describe("reviews", () => {
  it("are read from protobuf and answered in JSON", async () => {
    const attributes = Buffer.concat([encodeBytes(2, "delete"), encodeBytes(5, "pods")]);
    const review = encodeBytes(2, encodeBytes(1, attributes));
    const type = Buffer.concat([
      encodeBytes(1, "authorization.k8s.io/v1"),
      encodeBytes(2, "SelfSubjectAccessReview"),
    ]);
    const body = Buffer.concat([Buffer.from("k8s\0"), encodeBytes(1, type), encodeBytes(2, review)]);
    for (const [token, allowed] of [
      ["admin-token", true],
      ["viewer-token", false],
    ] as const) {
      const answer = await request(
        { ...anonymous, token },
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
          method: "POST",
          body: body.toString("latin1"),
          contentType: "application/vnd.kubernetes.protobuf",
        },
      );
      assert.equal(answer.status, 201);
      assert.equal(at(parseJson(answer.text), "status", "allowed"), allowed);
    }
  });

  it("of a kind that is not read from protobuf are refused with 415", async () => {
    const body = `k8s\0${encodeBytes(1, encodeBytes(2, "Unicorn")).toString("latin1")}`;
    const contentType = "application/vnd.kubernetes.protobuf";
    assert.equal((await request(admin, maps, { method: "POST", body, contentType })).status, 415);
  });
});

describe("watches", () => {
  async function events(query: string, act?: () => void, http: HttpVersion = "2"): Promise<Json[]> {
    const pending = request(admin, `${maps}?watch=true&timeoutSeconds=1&${query}`, { http });
    if (act !== undefined) setTimeout(act, 100);
    const { text } = await pending;
    return text
      .trim()
      .split("\n")
      .map((line) => parseJson(line));
  }

  function put(name: string, labels: Record<string, string>): void {
    const resource = resourceNamed("configmaps");
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", labels } };
    const key = { name, namespace: "default" };
    if (sandbox.store.find(resource, key) === undefined) sandbox.store.create(resource, object);
    else sandbox.store.replace(resource, object);
  }

  it("show what enters and leaves their selection as added and deleted, then end in time", async () => {
    const from = sandbox.store.revision;
    const seen = await events(`labelSelector=in=yes&resourceVersion=${from}`, () => {
      put("moving", { in: "no" });
      put("moving", { in: "yes" });
      put("moving", { in: "yes", more: "yes" });
      put("moving", { in: "no" });
    });
    assert.deepEqual(
      seen.map((event) => textAt(event, "type")),
      ["ADDED", "MODIFIED", "DELETED"],
    );
  });

  it("begin with the present when no version is given", async () => {
    const [first] = await events("fieldSelector=metadata.name=kube-root-ca.crt");
    assert.equal(textAt(first, "type"), "ADDED");
  });

  it("bring bookmarks when they may", async () => {
    const seen = await events(`allowWatchBookmarks=true&resourceVersion=${sandbox.store.revision}`);
    assert.ok(seen.length > 2);
    assert.ok(seen.every((event) => textAt(event, "type") === "BOOKMARK"));
  });

  it("end the initial list with a marked bookmark", async () => {
    const seen = await events(
      "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name=kube-root-ca.crt",
    );
    assert.equal(textAt(seen[0], "type"), "ADDED");
    const mark = at(seen[1], "object", "metadata", "annotations", "k8s.io/initial-events-end");
    assert.equal(mark, "true");
  });

  it("from a forgotten version are answered with a 410 in an ERROR event", async () => {
    const from = sandbox.store.revision;
    put("late", { n: "1" });
    sandbox.store.compact();
    const [event] = await events(`resourceVersion=${from}`);
    assert.equal(textAt(event, "type"), "ERROR");
    assert.equal(textAt(event, "object", "code"), "410");
  });

  it("as tables name their columns once", async () => {
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const { text } = await accepting(`${maps}?watch=true&timeoutSeconds=1`, accept);
    const tables = text
      .trim()
      .split("\n")
      .map((line) => at(parseJson(line), "object"));
    assert.ok(tables.length >= 2);
    assert.deepEqual(
      tables.map((table) => listAt(table, "columnDefinitions").length > 0),
      tables.map((_table, index) => index === 0),
    );
  });

  it("are counted while they are open", async () => {
    const counts: number[] = [];
    const cause = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      counts.push(sandbox.openStreams("watch"));
      put("counted", { at: String(Date.now()) });
    };
    await watchOne(admin, maps, cause);
    assert.deepEqual(counts, [1]);
    await waitFor(() => sandbox.openStreams() === 0);
  });
});

describe("bodies", () => {
  it("above 3 MiB are refused with 413", async () => {
    const body = JSON.stringify({ data: { big: "x".repeat(3 << 20) } });
    assert.equal((await request(admin, maps, { method: "POST", body })).status, 413);
  });

  it("that are no JSON are refused with 400, of another type with 415", async () => {
    assert.equal((await request(admin, maps, { method: "POST", body: "{" })).status, 400);
    const contentType = "text/plain";
    assert.equal((await request(admin, maps, { method: "POST", body: "{}", contentType })).status, 415);
  });
});

describe("the sandbox's own switches", () => {
  it("readiness", async () => {
    sandbox.setReady(false);
    const answer = await request(anonymous, "/readyz");
    sandbox.setReady(true);
    assert.deepEqual([answer.status, (await request(anonymous, "/readyz")).status], [500, 200]);
    assert.match(answer.text, /readyz check failed/);
  });

  it("without WebSocket, an upgrade to it is refused and SPDY goes on", async () => {
    const old = await startSandbox({ ...base, upgrades: { websocket: false } });
    const target = { ...admin, url: old.url };
    await assert.rejects(exec(target, web, ["true"]), /400: Upgrade request required/);
    assert.equal((await exec(target, web, ["true"], { transport: "spdy" })).exitCode, 0);
    await old.close();
  });

  it("without h2 in its ALPN it speaks HTTP/1.1 alone", async () => {
    const plain = await startSandbox({ ...base, alpn: ["http/1.1"] });
    const target = { ...admin, url: plain.url };
    await assert.rejects(request(target, "/version", { http: "2" }));
    assert.equal((await request(target, "/version", { http: "1.1" })).status, 200);
    assert.equal((await exec(target, web, ["true"])).exitCode, 0);
    await plain.close();
  });

  it("a GOAWAY leaves open streams alone", async () => {
    const session = http2Connect(sandbox.url, { ca: authority.ca });
    const goodbye = new Promise((resolve) => session.on("goaway", resolve));
    const stream = session.request({
      ":path": `${web}/log?follow=true`,
      authorization: "Bearer admin-token",
    });
    const answered = new Promise((resolve) => stream.on("response", resolve));
    stream.resume();
    await answered;
    sandbox.goaway();
    assert.equal(await goodbye, 0);
    const line = new Promise((resolve) => stream.on("data", resolve));
    sandbox.appendLog("still told");
    assert.match(String(await line), /still told/);
    session.destroy();
  });

  it("closing ends shells, watches and connections at once, and removes the pods' files", async () => {
    const short = await startSandbox(base);
    const target = { ...admin, url: short.url };
    const root = short.podRoot();
    const sleeper = (name: string): string[] => ["sh", "-c", `echo $$ >${name}; exec sleep 1000`];
    const pending = Promise.allSettled([
      exec(target, web, sleeper("plain")),
      exec(target, web, sleeper("terminal"), { transport: "spdy", tty: { columns: 80, rows: 24 } }),
      request(target, `${maps}?watch=true`),
      request(target, `${maps}?watch=true`, { http: "1.1" }),
    ]);
    const notes = ["plain", "terminal"].map((name) => join(root, name));
    await waitFor(() => short.openStreams() === 4 && notes.every((note) => existsSync(note)));
    const processes = notes.map((note) => Number(readFileSync(note, "utf8")));
    assert.ok(existsSync(root));
    const before = Date.now();
    await short.close();
    assert.ok(Date.now() - before < 1000);
    const ended = await pending;
    assert.ok(ended.slice(0, 2).every(({ status }) => status === "rejected"));
    await waitFor(() => short.openStreams() === 0 && short.openConnections() === 0);
    await waitFor(() => !processes.some(isAlive));
    assert.ok(!existsSync(root));
  });

  it("a port in use is an error, and nothing stays behind", async () => {
    await assert.rejects(startSandbox({ ...base, port: sandbox.port }), /EADDRINUSE/);
  });
});

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("it did not come about");
}
