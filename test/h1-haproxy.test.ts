import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { after, before, describe, test } from "node:test";
import { REQUEST_RULES } from "../src/wire/http1/testing.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { startHaproxy } from "./support/haproxy.ts";
import { freePort, type Running } from "./support/process.ts";

/**
 * The rules by which requests are read (src/wire/http1/testing.ts) say in each row what HAProxy 2.6 answers to the same
 * bytes. Here the real one is asked. src/wire/http1/request.test.ts holds our side of each row.
 */

let folder: Folder;
let haproxy: Running;
let upstream: net.Server;
let port: number;

before(async () => {
  folder = await temporaryFolder();
  upstream = net.createServer(answerWholeRequests).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port: upstreamPort } = upstream.address() as net.AddressInfo;
  port = await freePort();
  haproxy = await startHaproxy(folder.file("haproxy.cfg"), configuration(port, upstreamPort), port);
});

after(async () => {
  await haproxy?.stop("SIGKILL");
  upstream?.close();
  await folder?.remove();
});

describe("HAProxy 2.6 answers as the row says", () => {
  for (const row of REQUEST_RULES) {
    test(row.rule, async () => {
      const status = await statusOf(row.bytes);
      if (Array.isArray(row.haproxy)) assert.ok(row.haproxy.includes(status), `${status}`);
      else assert.equal(status, row.haproxy);
    });
  }
});

test("where we refuse what HAProxy passes on, the row says why", () => {
  const silent = REQUEST_RULES.filter(
    (row) => row.fault !== undefined && row.haproxy === 200 && row.because === undefined,
  );
  assert.deepEqual(silent, []);
});

function configuration(listenPort: number, upstreamPort: number): string {
  return `global
    nbthread 1

defaults
    mode http
    timeout connect 2s
    timeout client 500ms
    timeout server 1s
    timeout http-request 2s

frontend gate
    bind 127.0.0.1:${listenPort}
    default_backend api

backend api
    server one 127.0.0.1:${upstreamPort}
`;
}

/** The status of the answer to some bytes; undefined: the connection was closed without one. */
async function statusOf(bytes: string): Promise<number | undefined> {
  const socket = net.connect(port, "127.0.0.1");
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    answer += text;
  });
  socket.on("error", () => {}); // a reset behind the answer is how HAProxy may close; what counts is the answer
  socket.write(Buffer.from(bytes, "latin1"));
  const closed = once(socket, "close");
  const answered = new Promise<void>((resolve) => {
    socket.on("data", () => {
      if (answer.includes("\r\n\r\n")) resolve();
    });
  });
  await Promise.race([closed, answered]);
  socket.destroy();
  const status = /^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1];
  return status === undefined ? undefined : Number(status);
}

/** An upstream that says 200 only to a whole request, and nothing to anything else. */
function answerWholeRequests(socket: net.Socket): void {
  let request = "";
  socket.on("error", () => {}); // HAProxy resets a connection whose request turned bad
  socket.setEncoding("latin1").on("data", (text: string) => {
    request += text;
    if (isWhole(request)) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
}

function isWhole(request: string): boolean {
  const headEnd = request.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const head = request.slice(0, headEnd);
  const body = request.slice(headEnd + 4);
  if (/^transfer-encoding:/im.test(head)) return /(^|\n)0+\r\n([^\r\n]+\r\n)*\r\n$/.test(body);
  return body.length >= Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}
