import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everySplit } from "../testing.ts";
import type { Http1Fault } from "./faults.ts";
import { type FieldRule, RequestReader } from "./request.ts";
import { REQUEST_RULES } from "./testing.ts";

const HEAD_BYTES_MAX = 2_000;
const KEEP: FieldRule = () => "keep";

interface Read {
  readonly requests: readonly string[];
  readonly heads: readonly string[];
  readonly relayed: readonly string[];
  readonly fault: Http1Fault | undefined;
}

/** Everything a reader says of some chunks: complete requests, their heads, what a relay would pass on. */
function read(chunks: readonly Buffer[], rule = KEEP): Read {
  const reader = new RequestReader(HEAD_BYTES_MAX, rule);
  const requests: string[] = [];
  const heads: string[] = [];
  const relayed: string[] = [];
  let passed = "";
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (let event = reader.next(); event !== "more"; event = reader.next()) {
      const bytes = reader.bytes.toString("latin1", reader.from, reader.to);
      switch (event) {
        case "head":
          heads.push(bytes);
          passed = bytes;
          break;
        case "body":
          passed += bytes;
          break;
        case "end":
          requests.push(`${reader.method} ${reader.target}`);
          relayed.push(passed);
          break;
        case "bad":
          return { requests, heads, relayed, fault: reader.fault };
      }
    }
  }
  return { requests, heads, relayed, fault: undefined };
}

describe("every rule holds wherever the bytes are cut", () => {
  for (const row of REQUEST_RULES) {
    test(row.rule, () => {
      everySplit(row.bytes, (chunks, how) => {
        const { fault, requests } = read(chunks);
        assert.equal(fault, row.fault, how);
        if (row.fault === undefined) assert.equal(requests.length, 1, how);
      });
    });
  }
});

test("a refused body never counts as a request", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  everySplit(`${head}5\r\nhello!\r\n0\r\n\r\n`, (chunks, how) => {
    const { requests, heads } = read(chunks);
    assert.deepEqual(requests, [], how);
    assert.deepEqual(heads, [head], how);
  });
});

test("requests behind one another are told apart to the byte", () => {
  const first = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const second = "PUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;\r\n".replace(";", "");
  const secondBody = "xyz\r\n0\r\n\r\n";
  const third = "GET /c?watch=1 HTTP/1.1\r\nHost: a\r\n\r\n";
  everySplit(first + second + secondBody + third, (chunks, how) => {
    const { requests, relayed } = read(chunks);
    assert.deepEqual(requests, ["POST /a", "PUT /b", "GET /c?watch=1"], how);
    assert.deepEqual(relayed, [first, second + secondBody, third], how);
  });
});

test("trailers of a request are left out, all else of its body is as it came", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  everySplit(
    `${head}2\r\nhi\r\n0\r\nA: b\r\nX-Remote-User: root\r\n\r\nGET / HTTP/1.0\r\n\r\n`,
    (chunks, how) => {
      const { relayed } = read(chunks);
      assert.deepEqual(relayed, [`${head}2\r\nhi\r\n0\r\n\r\n`, "GET / HTTP/1.0\r\n\r\n"], how);
    },
  );
});

test("a body is passed on as the slices it came in", () => {
  const reader = new RequestReader(HEAD_BYTES_MAX, KEEP);
  reader.feed(Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"));
  assert.equal(reader.next(), "head");
  assert.equal(reader.next(), "more");
  const chunk = Buffer.from("abcdef");
  reader.feed(chunk);
  assert.equal(reader.next(), "body");
  assert.equal(reader.bytes, chunk);
});

describe("what a head says", () => {
  interface Says {
    readonly rule: string;
    readonly head: string;
    readonly says: Partial<RequestReader>;
  }
  const ROWS: readonly Says[] = [
    {
      rule: "HTTP/1.1 keeps the connection",
      head: "GET /a?b=c HTTP/1.1\r\nHost: api.example.com:6443 \r\nUser-Agent:\tkubectl/v1.35 \r\n\r\n",
      says: {
        method: "GET",
        target: "/a?b=c",
        authority: "api.example.com:6443",
        userAgent: "kubectl/v1.35",
        isHttp10: false,
        keepsAlive: true,
        hasBody: false,
        asksUpgrade: false,
      },
    },
    {
      rule: "close ends it",
      head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
      says: { keepsAlive: false },
    },
    {
      rule: "HTTP/1.0 ends it",
      head: "GET / HTTP/1.0\r\n\r\n",
      says: { keepsAlive: false, authority: undefined },
    },
    {
      rule: "HTTP/1.0 may keep it",
      head: "GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n",
      says: { keepsAlive: true },
    },
    {
      rule: "an upgrade needs both headers",
      head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
      says: { asksUpgrade: true },
    },
    {
      rule: "SPDY by POST without a body is an upgrade (kubectl 1.20 exec)",
      head: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n",
      says: { asksUpgrade: true, hasBody: false },
    },
    {
      rule: "Upgrade alone is none",
      head: "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
      says: { asksUpgrade: false },
    },
    ...["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.2", "websocket, h2c", ""].map((protocol) => ({
      rule: `an upgrade to "${protocol}" is none: requests inside would be judged by nobody`,
      head: `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
      says: { asksUpgrade: false },
    })),
    {
      rule: "two Upgrade lines are none",
      head: "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
      says: { asksUpgrade: false },
    },
    {
      rule: "HTTP/1.0 cannot upgrade",
      head: "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      says: { asksUpgrade: false },
    },
  ];
  for (const row of ROWS) {
    test(row.rule, () => {
      everySplit(row.head, (chunks, how) => {
        const reader = new RequestReader(HEAD_BYTES_MAX, KEEP);
        let seen = false;
        for (const chunk of chunks) {
          reader.feed(chunk);
          if (reader.next() !== "head") continue;
          seen = true;
          for (const [name, value] of Object.entries(row.says)) {
            assert.equal(reader[name as keyof RequestReader], value, `${name}, ${how}`);
          }
        }
        assert.ok(seen, how);
      });
    });
  }
});

test("the field rule is asked for every name HTTP/1 gives no meaning, and for no other", () => {
  const asked: string[] = [];
  const rule: FieldRule = (bytes, from, to) => {
    const name = bytes.toString("latin1", from, to);
    asked.push(name);
    return name === "X-Gone" ? "remove" : "keep";
  };
  const reader = new RequestReader(HEAD_BYTES_MAX, rule);
  reader.feed(
    Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nX-Gone: 1\r\nContent-Length: 0\r\nAccept: b\r\n\r\n"),
  );
  assert.equal(reader.next(), "head");
  assert.deepEqual(asked, ["X-Gone", "Accept"]);
  const gone = reader.marked.map((line) => [line.kind, reader.bytes.toString("latin1", line.from, line.to)]);
  assert.deepEqual(gone, [["remove", "X-Gone: 1\r\n"]]);
});

test("the field rule can refuse a name", () => {
  const read2 = read([Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nx_remote_user: b\r\n\r\n")], () => "refuse");
  assert.equal(read2.fault, "forbidden_name");
});

test("a head in single bytes is gathered once, not copied for each of them", () => {
  const reader = new RequestReader(60_000, KEEP);
  const head = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nA: ${"x".repeat(50_000)}\r\n\r\n`);
  const buffers = new Set<ArrayBufferLike>();
  let complete = false;
  for (const byte of head) {
    reader.feed(Buffer.from([byte]));
    complete = reader.next() === "head";
    buffers.add(reader.bytes.buffer);
  }
  assert.ok(complete);
  assert.ok(buffers.size < 20, `${buffers.size} buffers`);
});
