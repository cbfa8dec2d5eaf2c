import assert from "node:assert/strict";
import { once } from "node:events";
import type * as http2 from "node:http2";
import { after, before, describe, test } from "node:test";
import { exec, type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { ask1, ask2, plain, restOf, secure, session2 } from "../support/clients.ts";
import { DEFAULTS, type GateUnderTest, isRequest, isServer, startGate } from "../support/engine.ts";
import { type Folder, temporaryFolder, writeCertificates } from "../support/folder.ts";
import { freePort, postern, type Running } from "../support/process.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

// Servers that die at the worst moments and come back, and a gate that is told to stop.

let folder: Folder;
let certificates: Awaited<ReturnType<typeof writeCertificates>>;

before(async () => {
  folder = await temporaryFolder();
  certificates = await writeCertificates(folder, "gate", ["gate.example.com", "127.0.0.1"]);
});

after(() => folder?.remove());

interface Context {
  after(fn: () => unknown): void;
}

async function serverAt(t: Context, port?: number): Promise<Upstream> {
  const { certificatePem: cert, keyPem: key } = certificates;
  const upstream = await startUpstream({ tls: { cert, key }, ...(port !== undefined && { port }) });
  t.after(() => upstream.close());
  return upstream;
}

async function gateTo(t: Context, port: number, server = "", more = ""): Promise<GateUnderTest> {
  const gate = await startGate(`${DEFAULTS}
    retries 0
    ${more}
frontend gate
    bind 127.0.0.1:6443 ssl crt ${certificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server s 127.0.0.1:${port} ssl verify none ${server}
`);
  t.after(() => gate.close());
  return gate;
}

/** A stream of h2, with what came of it. */
function open2(session: http2.ClientHttp2Session, path: string, method = "GET") {
  const stream = session.request({ ":path": path, ":method": method }, { endStream: method === "GET" });
  let status = 0;
  let text = "";
  stream.on("response", (headers) => {
    status = Number(headers[":status"]);
  });
  stream.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  let error: string | undefined;
  stream.on("error", (failure: Error) => {
    error = failure.message;
  });
  const over = new Promise<{ status: number; text: string; error: string | undefined }>((resolve) => {
    stream.on("close", () => resolve({ status, text, error }));
  });
  return { stream, over };
}

describe("a server that dies", () => {
  for (const how of ["fin", "reset"] as const) {
    test(`h1, idle between requests, by ${how}: the client's connection is closed, the next one works`, async (t) => {
      const upstream = await serverAt(t);
      const gate = await gateTo(t, upstream.port);
      const socket = await secure({ port: gate.port() });
      socket.write("GET /x HTTP/1.1\r\nHost: gate\r\n\r\n");
      await once(socket, "data");
      const rest = restOf(socket);
      upstream.cut(how);
      assert.equal((await rest).length, 0, "closed without a word");
      assert.equal((await ask1(await secure({ port: gate.port() }), "/x")).status, 200);
      await gate.empty();
    });

    test(`h1, before the first request, by ${how}: another connection is made for it`, async (t) => {
      const upstream = await serverAt(t);
      const gate = await gateTo(t, upstream.port);
      const socket = await secure({ port: gate.port() });
      await until("the lane", () => gate.pools.get("api")?.lanes === 1);
      await until("the server to know of it", () => upstream.open > 0);
      upstream.cut(how);
      await until("the gate to know of it", () => gate.pools.get("api")?.lanes === 0);
      assert.equal((await ask1(socket, "/x")).status, 200);
      await gate.empty();
    });

    test(`h1, during an answer, by ${how}: the client sees that it is not whole`, async (t) => {
      const upstream = await serverAt(t);
      const gate = await gateTo(t, upstream.port);
      await assert.rejects(async () => {
        const asking = ask1(await secure({ port: gate.port() }), "/half");
        await until("the answer's begin", () => upstream.requests.includes("GET /half"));
        upstream.cut(how);
        await asking;
      }, /aborted|ECONNRESET|socket hang up/);
      const ended = await gate.told("its end", isRequest);
      assert.deepEqual([ended.termination, ended.reason], ["SD--", "server_gone"]);
      await gate.empty();
    });

    test(`h1, during a POST, by ${how}: 502 says that it may have been carried out`, async (t) => {
      const upstream = await serverAt(t);
      const gate = await gateTo(t, upstream.port);
      const asking = ask1(await secure({ port: gate.port() }), "/hang", { method: "POST", body: "{}" });
      await until("the request", () => upstream.requests.includes("POST /hang"));
      upstream.cut(how);
      const answer = await asking;
      assert.equal(answer.status, 502);
      assert.match(answer.text, /may have been carried out/);
      assert.equal(upstream.requests.length, 1, "it was not repeated");
      await gate.empty();
    });

    test(`h2, by ${how}: GET is refused for repetition, POST is 502, a watch is broken, the session is left`, async (t) => {
      const upstream = await serverAt(t);
      const gate = await gateTo(t, upstream.port);
      const session = await session2({ port: gate.port() });
      const goaway = once(session, "goaway");
      const get = open2(session, "/hang");
      const post = open2(session, "/hang", "POST");
      post.stream.end("{}");
      const watch = open2(session, "/watch");
      await once(watch.stream, "data");
      await until("the requests", () => upstream.requests.length === 3);
      upstream.cut(how);
      const [refused, maybe, broken] = await Promise.all([get.over, post.over, watch.over]);
      assert.match(refused.error ?? "", /REFUSED_STREAM/);
      assert.equal(maybe.status, 502);
      assert.match(maybe.text, /may have been carried out/);
      assert.match(broken.error ?? "", /INTERNAL_ERROR/);
      await goaway;
      const again = await session2({ port: gate.port() });
      assert.equal((await ask2(again, "/x")).status, 200);
      again.destroy();
      session.destroy();
      await gate.empty();
    });
  }

  test("for good: 503 in words; when it is back, lanes work again, by both protocols", async (t) => {
    const upstream = await serverAt(t);
    const gate = await gateTo(t, upstream.port);
    assert.equal((await ask1(await secure({ port: gate.port() }), "/x")).status, 200);
    await upstream.close();
    const down = await ask1(await secure({ port: gate.port() }), "/x");
    assert.equal(down.status, 503);
    assert.match(down.text, /the API server refuses connections from the gate/);
    const session = await session2({ port: gate.port() });
    assert.equal((await ask2(session, "/x")).status, 503);
    session.destroy();
    await serverAt(t, upstream.port);
    assert.equal((await ask1(await secure({ port: gate.port() }), "/x")).status, 200);
    const again = await session2({ port: gate.port() });
    assert.equal((await ask2(again, "/x")).status, 200);
    again.destroy();
    await gate.empty();
  });

  test("another one takes its clients, and a check says who is down and why", async (t) => {
    const [one, two] = [await serverAt(t), await serverAt(t)];
    const gate = await gateTo(
      t,
      one.port,
      `check inter 100ms rise 1 fall 2\n    server two 127.0.0.1:${two.port} ssl verify none check inter 100ms rise 1 fall 2`,
    );
    await one.close();
    for (let at = 0; at < 8; at++) {
      const { status } = await ask1(await secure({ port: gate.port() }), "/x");
      assert.ok(status === 200 || (status === 503 && at < 4), "only before the check noticed");
      if (at === 3) await gate.told("the check", isServer(false));
    }
    const down = await gate.told("the check", isServer(false));
    assert.deepEqual([down.server, down.reason, down.activeLeft], ["s", "dial_refused", 1]);
    assert.match(down.detail, new RegExp(`127\\.0\\.0\\.1:${one.port} refuses the connection`));
    await two.close();
    await until("both down", () => gate.events.filter(isServer(false)).length === 2);
    assert.equal((await ask1(await secure({ port: gate.port() }), "/x")).status, 503);
    await serverAt(t, one.port);
    const up = await gate.told("it to be back", isServer(true));
    assert.deepEqual([up.server, up.reason, up.activeLeft], ["s", "check_passed", 1]);
    assert.equal((await ask1(await secure({ port: gate.port() }), "/x")).status, 200);
    await gate.empty();
  });

  test("one that takes the connection and never shakes hands is given up after timeout connect", async (t) => {
    const silent = await startUpstream();
    t.after(() => silent.close());
    const gate = await gateTo(t, silent.port, "", "timeout connect 300ms");
    const answer = await ask1(await secure({ port: gate.port() }), "/x");
    assert.equal(answer.status, 503);
    await gate.empty();
  });
});

describe("a gate that is told to stop", () => {
  let sandbox: Sandbox;
  const TOKEN = "admin-token";
  const WATCH = "/api/v1/namespaces/default/pods?watch=true";

  before(async () => {
    sandbox = await startSandbox({
      tls: { cert: certificates.certificatePem, key: certificates.keyPem },
      tokens: { [TOKEN]: { name: "admin", groups: ["system:masters"] } },
      logIntervalMs: 0,
    });
  });
  after(() => sandbox?.close());

  /** @param grace  s; undefined: as `global`, lines of that section, has it */
  async function run(
    t: Context,
    grace: number | undefined,
    global = "",
  ): Promise<{ running: Running; port: number }> {
    const port = await freePort();
    const text = `global
    ${global}
${DEFAULTS}
frontend gate
    bind 127.0.0.1:${port} ssl crt ${certificates.bundle} alpn h2,http/1.1
    default_backend api
backend api
    server s ${sandbox.host}:${sandbox.port} ssl verify none
`;
    const file = await folder.write(`stop-${port}.cfg`, text);
    const running = postern(["run", "-f", file, ...(grace === undefined ? [] : ["--grace", String(grace)])]);
    t.after(() => running.stop("SIGKILL"));
    await running.wrote(/listening on/);
    return { running, port };
  }

  function watch2(session: http2.ClientHttp2Session) {
    const stream = session.request({ ":path": WATCH, authorization: `Bearer ${TOKEN}` });
    stream.on("error", () => {});
    stream.resume();
    return stream;
  }

  test("no lane is open: at once, exit 0, the port is free", async (t) => {
    const { running, port } = await run(t, 60);
    assert.equal((await ask1(await secure({ port }), "/livez")).status, 200);
    assert.equal(await running.stop("SIGTERM"), 0);
    await assert.rejects(plain(port), /ECONNREFUSED/);
  });

  test("an h2 client without streams is told by GOAWAY and the gate is gone, long before the grace time is over", async (t) => {
    const { running, port } = await run(t, 60);
    const session = await session2({ port });
    assert.equal((await ask2(session, "/livez")).status, 200);
    const goaway = once(session, "goaway");
    const [code] = await Promise.all([running.stop("SIGTERM"), goaway]);
    assert.equal(code, 0);
  });

  test("an h1 client between requests is closed, one within a request gets its answer with Connection: close", async (t) => {
    const { running, port } = await run(t, 60);
    const idle = await secure({ port });
    idle.write("GET /livez HTTP/1.1\r\nHost: gate\r\n\r\n");
    await once(idle, "data");
    const half = await secure({ port });
    half.write("GET /livez HTTP/1.1\r\nHost: gate\r\n");
    const closed = restOf(idle);
    const answer = restOf(half);
    const stopped = running.stop("SIGTERM");
    await closed;
    half.write("\r\n");
    assert.match((await answer).toString(), /^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n/i);
    assert.equal(await stopped, 0);
  });

  test("without --grace the file's hard-stop-after is the grace time", async (t) => {
    const { running, port } = await run(t, undefined, "hard-stop-after 1s");
    const watch = watch2(await session2({ port }));
    await once(watch, "response");
    const stopped = running.stop("SIGTERM");
    await running.wrote(/stopping: 1 open connection has 1 s to end/);
    assert.equal(await stopped, 0);
  });

  test("open streams go on for the grace time, then they are cut; exit 0", async (t) => {
    const { running, port } = await run(t, 1);
    const session = await session2({ port });
    const watch = watch2(session);
    const socket = await secure({ port });
    socket.write(`GET ${WATCH} HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    await once(socket, "data");
    const shell = exec(
      { url: `https://127.0.0.1:${port}`, ca: certificates.caPem, token: TOKEN },
      "/api/v1/namespaces/default/pods/web",
      ["sleep", "60"],
    );
    const broken = assert.rejects(shell);
    await until("three streams", () => sandbox.openStreams() === 3);
    const goaway = once(session, "goaway");
    const ended = new Promise((resolve) => watch.on("close", resolve));
    const rest = restOf(socket);
    const began = performance.now();
    const stopped = running.stop("SIGTERM");
    await running.wrote(/stopping: 3 open connections have 1 s to end/);
    await goaway;
    await assert.rejects(plain(port), /ECONNREFUSED/);
    assert.equal(watch.closed, false, "asked to leave, not cut");
    assert.equal(await stopped, 0);
    const took = performance.now() - began;
    assert.ok(took >= 950 && took < 10_000, `${took} ms`);
    await Promise.all([ended, rest, broken]);
    await until("the sandbox to have none", () => sandbox.openStreams() === 0);
  });

  test("a stream that ends within the grace time ends the gate", async (t) => {
    const { running, port } = await run(t, 60);
    const session = await session2({ port });
    const watch = watch2(session);
    await once(watch, "response");
    const stopped = running.stop("SIGTERM");
    await once(session, "goaway");
    watch.close();
    assert.equal(await stopped, 0);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`a second ${signal} ends it at once, exit 0`, async (t) => {
      const { running, port } = await run(t, 60);
      const session = await session2({ port });
      const watch = watch2(session);
      await once(watch, "response");
      const stopped = running.stop(signal);
      await running.wrote(/again to stop at once/);
      process.kill(running.pid, signal);
      assert.equal(await stopped, 0);
    });
  }

  test("a client that has said nothing does not keep it", async (t) => {
    const { running, port } = await run(t, 60);
    const quiet = await plain(port);
    const rest = restOf(quiet);
    await until("the accept", async () => (await ask1(await secure({ port }), "/livez")).status === 200);
    const began = performance.now();
    assert.equal(await running.stop("SIGTERM"), 0);
    assert.ok(performance.now() - began < 10_000);
    await rest;
  });
});
