import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everySplit } from "../../wire/testing.ts";
import { scene, serverOf } from "./testing.ts";

describe("head edits", () => {
  const ROWS: readonly { readonly rule: string; readonly lines: string; readonly passes: string }[] = [
    {
      rule: "identity and forwarding headers of a client are removed",
      lines:
        "X-Remote-User: root\r\nx-remote-group: system:masters\r\nAccept: a\r\nX-REMOTE-EXTRA-Scopes: b\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-Ip: 1.2.3.4\r\n",
      passes: "Accept: a\r\n",
    },
    {
      rule: "other X- headers pass",
      lines: "X-Foo: bar\r\nFrom: me\r\nx_custom: 1\r\n",
      passes: "X-Foo: bar\r\nFrom: me\r\nx_custom: 1\r\n",
    },
    {
      rule: "hop-by-hop headers of old clients are removed",
      lines: "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nA: b\r\n",
      passes: "A: b\r\n",
    },
    {
      rule: "TE: trailers passes",
      lines: "TE: trailers\r\nConnection: TE\r\n",
      passes: "TE: trailers\r\nConnection: TE\r\n",
    },
    {
      rule: "Connection: close and keep-alive pass",
      lines: "Connection: keep-alive\r\n",
      passes: "Connection: keep-alive\r\n",
    },
    {
      rule: "headers that Connection names are removed with their mention",
      lines: "Connection: X-Hop, y-hop\r\nX-Hop: 1\r\nA: b\r\ny-hop: 2\r\n",
      passes: "A: b\r\n",
    },
    {
      rule: "a Connection line that also says close stays",
      lines: "Connection: close, X-Hop\r\nX-Hop: 1\r\n",
      passes: "Connection: close, X-Hop\r\n",
    },
    {
      rule: "a Connection line cannot take the request line away",
      lines: "Connection: get / http/1.1\r\n",
      passes: "",
    },
    {
      rule: "an upgrade to h2c is not passed on",
      lines: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
      passes: "",
    },
    {
      rule: "an Upgrade that Connection does not name is removed",
      lines: "Upgrade: websocket\r\n",
      passes: "",
    },
    {
      rule: "a WebSocket upgrade passes as it is",
      lines: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
      passes: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    },
    {
      rule: "X-Stream-Protocol-Version on five lines stays five lines (kubectl 1.20 exec)",
      lines: [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v3.channel.k8s.io",
        "v2.channel.k8s.io",
        "channel.k8s.io",
      ]
        .map((version) => `X-Stream-Protocol-Version: ${version}\r\n`)
        .join(""),
      passes: [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "v3.channel.k8s.io",
        "v2.channel.k8s.io",
        "channel.k8s.io",
      ]
        .map((version) => `X-Stream-Protocol-Version: ${version}\r\n`)
        .join(""),
    },
  ];
  for (const row of ROWS) {
    test(row.rule, () => {
      everySplit(`GET / HTTP/1.1\r\nHost: a\r\n${row.lines}\r\n`, (chunks, how) => {
        const { lane, relay } = scene({ forwardedFor: "192.0.2.7" });
        for (const chunk of chunks) relay.clientData(chunk);
        assert.equal(
          serverOf(lane).text,
          `GET / HTTP/1.1\r\nHost: a\r\n${row.passes}X-Forwarded-For: 192.0.2.7\r\n\r\n`,
          how,
        );
      });
    });
  }

  for (const name of [
    "Authorization",
    "host",
    "Content-Length",
    "Transfer-Encoding",
    "X-Remote-User",
    "Impersonate-User",
    "Sec-WebSocket-Protocol",
    "Cookie",
  ]) {
    test(`Connection must not name ${name}`, () => {
      const s = scene();
      s.client(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close, ${name}\r\n\r\n`);
      assert.equal(serverOf(s.lane).text, "");
      assert.deepEqual(s.told, ["400 PR-- GET /"]);
    });
  }

  test("x_remote_user is refused: some servers read it as X-Remote-User", () => {
    const s = scene();
    s.client("GET / HTTP/1.1\r\nHost: a\r\nx_remote_user: root\r\n\r\n");
    assert.match(s.lane.client.text, /^HTTP\/1\.1 400 /);
    assert.equal(serverOf(s.lane).text, "");
  });
});
