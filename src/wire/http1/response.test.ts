import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everySplit } from "../testing.ts";
import type { Http1Fault } from "./faults.ts";
import { ResponseReader } from "./response.ts";

const HEAD_BYTES_MAX = 2_000;

interface Read {
  /** `200`, and how it ended: `end`, `open` (more is to come), `opaque`, or a fault. */
  readonly statuses: readonly number[];
  readonly ended: "end" | "open" | Http1Fault;
  readonly passed: string;
  readonly rest: string;
  readonly reader: ResponseReader;
}

function read(chunks: readonly Buffer[], method = "GET", asksUpgrade = false): Read {
  const reader = new ResponseReader(HEAD_BYTES_MAX);
  reader.expect(method, asksUpgrade);
  const statuses: number[] = [];
  let passed = "";
  for (const [i, chunk] of chunks.entries()) {
    reader.feed(chunk);
    for (let event = reader.next(); event !== "more"; event = reader.next()) {
      if (event === "bad") {
        return { statuses, ended: reader.fault ?? "bad_status_line", passed, rest: "", reader };
      }
      if (event === "end") {
        const rest = Buffer.concat([reader.takeRest() ?? Buffer.alloc(0), ...chunks.slice(i + 1)]);
        return { statuses, ended: "end", passed, rest: rest.toString("latin1"), reader };
      }
      if (event === "head") statuses.push(reader.status);
      passed += reader.bytes.toString("latin1", reader.from, reader.to);
    }
    if (statuses.at(-1) === 101) {
      const rest = Buffer.concat([reader.takeRest() ?? Buffer.alloc(0), ...chunks.slice(i + 1)]);
      return { statuses, ended: "open", passed, rest: rest.toString("latin1"), reader };
    }
  }
  return { statuses, ended: "open", passed, rest: "", reader };
}

interface Row {
  readonly rule: string;
  readonly bytes: string;
  readonly method?: string;
  readonly asksUpgrade?: boolean;
  readonly ended: "end" | "open" | Http1Fault;
  readonly statuses?: readonly number[];
  readonly rest?: string;
}

const OK = "HTTP/1.1 200 OK\r\n";
const ROWS: readonly Row[] = [
  { rule: "a length ends a body", bytes: `${OK}Content-Length: 5\r\n\r\nhello!!`, ended: "end", rest: "!!" },
  {
    rule: "chunks end a body",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n!`,
    ended: "end",
    rest: "!",
  },
  {
    rule: "trailers and extensions of an answer pass",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\nA: b\r\n\r\n`,
    ended: "end",
  },
  { rule: "without both, the connection's end is the body's", bytes: `${OK}\r\nhello`, ended: "open" },
  {
    rule: "an answer to HEAD has no body",
    bytes: `${OK}Content-Length: 5\r\n\r\n`,
    method: "HEAD",
    ended: "end",
  },
  {
    rule: "an answer to HEAD has no chunks",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    method: "HEAD",
    ended: "end",
  },
  { rule: "204 has no body", bytes: "HTTP/1.1 204 No Content\r\n\r\n", ended: "end" },
  {
    rule: "304 has no body, whatever length it tells",
    bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    ended: "end",
  },
  {
    rule: "100 and 103 come before the answer",
    bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
    statuses: [100, 103, 200],
    ended: "end",
  },
  {
    rule: "101 ends HTTP where it was asked for",
    bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
    asksUpgrade: true,
    ended: "open",
    rest: "\x81\x00",
  },
  {
    rule: "101 is refused where nobody asked",
    bytes: "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ended: "upgrade_not_asked",
  },
  {
    rule: "an upgrade that is denied stays HTTP",
    bytes: "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}",
    asksUpgrade: true,
    ended: "end",
  },
  {
    rule: "an empty reason phrase is fine",
    bytes: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    ended: "end",
  },
  {
    rule: "a reason phrase may be missing with its space",
    bytes: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    ended: "end",
  },
  {
    rule: "refuses both lengths",
    bytes: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ended: "length_and_chunked",
  },
  {
    rule: "refuses two lengths",
    bytes: `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`,
    ended: "two_lengths",
  },
  { rule: "refuses a length that is none", bytes: `${OK}Content-Length: five\r\n\r\n`, ended: "bad_length" },
  {
    rule: "refuses another coding than chunked",
    bytes: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    ended: "bad_transfer_encoding",
  },
  {
    rule: "refuses chunks in HTTP/1.0",
    bytes: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ended: "transfer_encoding_http10",
  },
  {
    rule: "refuses a bad chunk size",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    ended: "bad_chunk_size",
  },
  {
    rule: "refuses a chunk extension without end",
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(300)}`,
    ended: "chunk_extension",
  },
  { rule: "refuses a bare LF", bytes: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", ended: "bare_lf" },
  { rule: "refuses a folded line", bytes: `${OK}A: b\r\n c\r\n\r\n`, ended: "folded_line" },
  { rule: "refuses a status of two digits", bytes: "HTTP/1.1 20 OK\r\n\r\n", ended: "bad_status_line" },
  { rule: "refuses a status of four digits", bytes: "HTTP/1.1 2000 OK\r\n\r\n", ended: "bad_status_line" },
  { rule: "refuses a status below 100", bytes: "HTTP/1.1 099 OK\r\n\r\n", ended: "bad_status_line" },
  { rule: "refuses HTTP/2.0", bytes: "HTTP/2.0 200 OK\r\n\r\n", ended: "bad_status_line" },
  { rule: "refuses what is no HTTP", bytes: "SSH-2.0-OpenSSH_9.2\r\n", ended: "bad_status_line" },
  {
    rule: "refuses a head above the limit",
    bytes: `${OK}A: ${"x".repeat(2_000)}\r\n\r\n`,
    ended: "head_too_large",
  },
];

describe("every rule holds wherever the bytes are cut", () => {
  for (const row of ROWS) {
    test(row.rule, () => {
      everySplit(row.bytes, (chunks, how) => {
        const { ended, statuses, rest, passed } = read(chunks, row.method, row.asksUpgrade);
        assert.equal(ended, row.ended, how);
        if (row.statuses !== undefined) assert.deepEqual(statuses, row.statuses, how);
        if (row.ended !== "end" && row.ended !== "open") return;
        assert.equal(rest, row.rest ?? "", how);
        assert.equal(passed, row.bytes.slice(0, row.bytes.length - rest.length), how);
      });
    });
  }
});

test("refuses trailers without end", () => {
  const head = `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n`;
  assert.equal(read([Buffer.from(head + "a: b\r\n".repeat(2_000))]).ended, "head_too_large");
});

describe("whether the connection goes on", () => {
  const ROWS: readonly (readonly [string, boolean])[] = [
    [`${OK}Content-Length: 0\r\n\r\n`, true],
    [`${OK}Content-Length: 0\r\nConnection: close\r\n\r\n`, false],
    [`${OK}Content-Length: 0\r\nConnection: keep-alive, Close\r\n\r\n`, false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true],
    [`${OK}\r\nuntil close`, false],
  ];
  for (const [bytes, keepsAlive] of ROWS) {
    test(`${JSON.stringify(bytes)}: ${keepsAlive}`, () => {
      assert.equal(read([Buffer.from(bytes)]).reader.keepsAlive, keepsAlive);
    });
  }
});

test("a chunk of a body is passed on as the buffer it came in", () => {
  const reader = new ResponseReader(HEAD_BYTES_MAX);
  reader.expect("GET", false);
  const whole = Buffer.from(`${OK}Content-Length: 4\r\n\r\nabcd`);
  reader.feed(whole);
  assert.equal(reader.next(), "head");
  assert.equal(reader.bytes, whole);
  const { to } = reader;
  assert.equal(reader.next(), "body");
  assert.equal(reader.bytes, whole);
  assert.deepEqual([reader.from, reader.to], [to, whole.length]);
});
