import assert from "node:assert/strict";
import * as net from "node:net";
import { before, test } from "node:test";
import * as tls from "node:tls";
import { HELLO_BYTES_MAX, type HelloResult, readClientHello } from "./client-hello.ts";
import { everySplit } from "./testing.ts";

// The hellos are those of OpenSSL, as Node sends them; RFC 8446 §4.1.2.
let withName: Buffer;
let withoutName: Buffer;

before(async () => {
  withName = await captureHello({ servername: "Prod-EU.k8s.example.com", ALPNProtocols: ["h2", "http/1.1"] });
  withoutName = await captureHello({});
});

test("reads server name and ALPN wherever the segments are cut", () => {
  everySplit(withName, (chunks, how) => {
    assert.deepEqual(
      feed(chunks),
      {
        kind: "hello",
        hello: { serverName: "prod-eu.k8s.example.com", alpn: ["h2", "http/1.1"] },
      },
      how,
    );
  });
});

test("a client by IP sends neither, which is no fault", () => {
  everySplit(withoutName, (chunks, how) => {
    assert.deepEqual(feed(chunks), { kind: "hello", hello: { serverName: undefined, alpn: undefined } }, how);
  });
});

test("puts a hello together that spans many small records, RFC 8446 §5.1", () => {
  assert.deepEqual(readClientHello(inRecords(withName.subarray(5), 64)), readClientHello(withName));
});

test("a hello in thousands of records is refused before it costs anything", () => {
  const hello = Buffer.alloc(16_000);
  hello[0] = 1;
  hello.writeUIntBE(hello.length, 1, 3);
  const records = inRecords(hello, 1);
  const before = process.cpuUsage();
  assert.deepEqual(readClientHello(records), { kind: "not-tls", what: "garbage" });
  // Put together anew for each record it took seconds, in which nobody else was served.
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 200_000, `${user + system} µs`);
});

test("a server name longer than a name can be is refused, RFC 1035 §2.3.4", () => {
  assert.equal(readClientHello(helloFor("a".repeat(255))).kind, "hello");
  assert.deepEqual(readClientHello(helloFor("a".repeat(256))), { kind: "not-tls", what: "garbage" });
});

for (const row of [
  {
    rule: "plain HTTP is told apart, so that the client can be told",
    bytes: "GET / HTTP/1.1\r\n\r\n",
    what: "http",
  },
  { rule: "so is the HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", what: "http" },
  { rule: "SSH is garbage", bytes: "SSH-2.0-OpenSSH_9.2\r\n", what: "garbage" },
  {
    rule: "an SSLv2 hello is garbage",
    bytes: Buffer.from("802e0100020015000000100100800200", "hex"),
    what: "garbage",
  },
  {
    rule: "an alert in place of a hello is garbage",
    bytes: Buffer.from("15030100020100", "hex"),
    what: "garbage",
  },
  {
    rule: "another handshake message is garbage",
    bytes: Buffer.from("160301000402000000", "hex"),
    what: "garbage",
  },
  {
    rule: "an empty record is garbage, RFC 8446 §5.1",
    bytes: Buffer.from("1603010000", "hex"),
    what: "garbage",
  },
  {
    rule: "a major version other than 3 is garbage",
    bytes: Buffer.from("1602010004010000", "hex"),
    what: "garbage",
  },
  {
    rule: "a hello longer than the limit is garbage at once",
    bytes: Buffer.from(
      `1603010004 01${(HELLO_BYTES_MAX + 1).toString(16).padStart(6, "0")}`.replace(" ", ""),
      "hex",
    ),
    what: "garbage",
  },
] as const) {
  test(row.rule, () => {
    const bytes = typeof row.bytes === "string" ? Buffer.from(row.bytes) : row.bytes;
    assert.deepEqual(readClientHello(bytes), { kind: "not-tls", what: row.what });
  });
}

for (const row of [
  { rule: "two server names are refused", name: "a.example", edit: duplicateServerName },
  {
    rule: "a server name with a NUL is refused",
    name: "a.example",
    edit: (hello: Buffer) => replaceName(hello, "a\0example"),
  },
  {
    rule: "a server name that is not ASCII is refused",
    name: "a.example",
    edit: (hello: Buffer) => replaceName(hello, "a\xe9example"),
  },
]) {
  test(row.rule, async () => {
    const hello = await captureHello({ servername: row.name });
    assert.deepEqual(readClientHello(row.edit(hello)), { kind: "not-tls", what: "garbage" });
  });
}

test("a hello cut short by its own lengths is refused, whichever byte of the extensions lies", () => {
  let refused = 0;
  for (let at = 43; at < withName.length; at++) {
    const bytes = Buffer.from(withName);
    bytes[at] = bytes[at]! ^ 0x80;
    const result = readClientHello(bytes); // must not throw, must not want more than the record holds
    assert.notEqual(result.kind, "more", `byte ${at}`);
    if (result.kind === "not-tls") refused++;
  }
  assert.ok(refused > 20, `${refused} refused`);
});

/** A hello that asks for a name and nothing else; Node sends none that is too long. */
function helloFor(name: string): Buffer {
  const list = Buffer.concat([Buffer.from([0, name.length >> 8, name.length & 0xff]), Buffer.from(name)]);
  const value = Buffer.concat([Buffer.from([list.length >> 8, list.length & 0xff]), list]);
  const extension = Buffer.concat([Buffer.from([0, 0, value.length >> 8, value.length & 0xff]), value]);
  const body = Buffer.concat([
    Buffer.alloc(34),
    Buffer.from([0, 0, 2, 0x13, 1, 1, 0, extension.length >> 8, extension.length & 0xff]),
    extension,
  ]);
  const header = Buffer.from([1, 0, body.length >> 8, body.length & 0xff]);
  return inRecords(Buffer.concat([header, body]), 16_384);
}

/** A handshake message as TLS records of so many bytes each. */
function inRecords(message: Buffer, bytes: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += bytes) {
    const part = message.subarray(at, at + bytes);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

function feed(chunks: readonly Buffer[]): HelloResult {
  let bytes = Buffer.alloc(0);
  let result: HelloResult = { kind: "more" };
  for (const chunk of chunks) {
    assert.equal(result.kind, "more", "an answer before all bytes were there");
    bytes = Buffer.concat([bytes, chunk]);
    result = readClientHello(bytes);
  }
  return result;
}

function replaceName(hello: Buffer, name: string): Buffer {
  const bytes = Buffer.from(hello);
  bytes.write(name, bytes.indexOf("a.example"), "latin1");
  return bytes;
}

/** Turns another extension into a second server_name with the same content. */
function duplicateServerName(hello: Buffer): Buffer {
  const at = hello.indexOf("a.example") - 9;
  const extension = hello.subarray(at, at + 9 + "a.example".length);
  const bytes = Buffer.concat([hello.subarray(0, at), extension, hello.subarray(at)]);
  bytes.writeUInt16BE(bytes.readUInt16BE(3) + extension.length, 3);
  bytes.writeUIntBE(bytes.readUIntBE(6, 3) + extension.length, 6, 3);
  // Skip version, random, session id, suites, compression to the length of the extensions.
  let offset = 5 + 4 + 34;
  offset += 1 + bytes[offset]!;
  offset += 2 + bytes.readUInt16BE(offset);
  offset += 1 + bytes[offset]!;
  bytes.writeUInt16BE(bytes.readUInt16BE(offset) + extension.length, offset);
  return bytes;
}

function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.once("data", (chunk) => {
        socket.destroy();
        server.close();
        resolve(chunk);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      tls.connect({ host: "127.0.0.1", port, ...options }).on("error", () => {}); // the server leaves on purpose
    });
    server.on("error", reject);
  });
}
