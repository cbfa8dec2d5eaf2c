import assert from "node:assert/strict";
import { test } from "node:test";
import { Http2ConnectionError } from "../errors.ts";
import { HpackDecoder } from "./decode.ts";
import { literal } from "./encode.ts";
import { decodeHuffman, huffmanCodes } from "./huffman.ts";
import type { HeaderField } from "./table.ts";

function lines(decoder: HpackDecoder, hex: string): string[] {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const fields: HeaderField[] = [];
  decoder.decode(bytes, 0, bytes.length, { field: (field) => fields.push(field) });
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

const REQUESTS = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ],
];
const RESPONSES = [
  [
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

// A table of 256 bytes, as the examples of C.5 and C.6 have it: the size update stands before their first block.
const SIZE_256 = "3fe101";

for (const { rule, blocks, expected } of [
  {
    rule: "C.2.1 literal with indexing",
    blocks: ["400a637573746f6d2d6b65790d637573746f6d2d686561646572"],
    expected: [["custom-key: custom-header"]],
  },
  {
    rule: "C.2.2 literal without indexing",
    blocks: ["040c2f73616d706c652f70617468"],
    expected: [[":path: /sample/path"]],
  },
  {
    rule: "C.2.3 literal never indexed",
    blocks: ["100870617373776f726406736563726574"],
    expected: [["password: secret"]],
  },
  { rule: "C.2.4 indexed field", blocks: ["82"], expected: [[":method: GET"]] },
  {
    rule: "C.3 requests without Huffman",
    blocks: [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    expected: REQUESTS,
  },
  {
    rule: "C.4 requests with Huffman",
    blocks: [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    expected: REQUESTS,
  },
  {
    rule: "C.5 responses without Huffman, entries evicted",
    blocks: [
      `${SIZE_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    expected: RESPONSES,
  },
  {
    rule: "C.6 responses with Huffman, entries evicted",
    blocks: [
      `${SIZE_256}488264025885aec3771a4b6196d07abe941054d444a820059504 0b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
    expected: RESPONSES,
  },
]) {
  test(`reads RFC 7541 ${rule}`, () => {
    const decoder = new HpackDecoder(65_536);
    assert.deepEqual(
      blocks.map((block) => lines(decoder, block)),
      expected,
    );
  });
}

for (const { rule, block } of [
  { rule: "index 0", block: "80" },
  { rule: "an index beyond the static table while the dynamic one is empty", block: "be" },
  { rule: "a table size update above the limit", block: "3fe2ff03" },
  { rule: "a table size update behind a field", block: "8220" },
  { rule: "an integer that never ends", block: "ffffffffffffffffff" },
  { rule: "an integer cut short", block: "ff" },
  { rule: "a string longer than its block", block: "400a6375" },
  { rule: "a Huffman padding of zeros", block: "40016181" + "18" },
  { rule: "a Huffman padding of a whole byte", block: "40016182" + "1fff" },
  { rule: "the end-of-string symbol inside a string", block: "40016184" + "ffffffff" },
]) {
  test(`refuses ${rule} as COMPRESSION_ERROR`, () => {
    assert.throws(
      () => lines(new HpackDecoder(65_536), block),
      (error) => error instanceof Http2ConnectionError && error.code === 0x9,
    );
  });
}

test("counts a list that expands without end and gives out no more than the limit (HPACK bomb)", () => {
  const decoder = new HpackDecoder(10_000);
  const value = "b".repeat(3_000);
  const entry = literal("x-bomb", value);
  entry[0] = 0x40;
  const bomb = Buffer.concat([entry, Buffer.alloc(50_000, 0xbe)]);
  let given = 0;
  decoder.decode(bomb, 0, bomb.length, { field: () => given++ });
  assert.equal(given, 3);
  assert.equal(decoder.tooLarge, true);
  assert.deepEqual(lines(decoder, "82"), [":method: GET"], "the connection goes on");
  assert.equal(decoder.tooLarge, false);
});

test("says whether a block changed the table", () => {
  const decoder = new HpackDecoder(65_536);
  lines(decoder, "82 8684 040c2f73616d706c652f70617468");
  assert.equal(decoder.changes, 0);
  lines(decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572");
  assert.equal(decoder.changes, 1);
  lines(decoder, "20");
  assert.equal(decoder.changes, 2);
});

test("an entry larger than the table empties it (RFC 7541 §4.4)", () => {
  const decoder = new HpackDecoder(65_536);
  lines(decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572");
  const big = literal("x", "y".repeat(5_000));
  big[0] = 0x40;
  lines(decoder, big.toString("hex"));
  assert.throws(() => lines(decoder, "be"), /outside the table/);
});

test("keeps its place in the table over many insertions and evictions", () => {
  const decoder = new HpackDecoder(65_536);
  for (let round = 0; round < 500; round++) {
    const field = literal(`name-${round}`, `value-${round}`);
    field[0] = 0x40;
    lines(decoder, field.toString("hex"));
    if (round < 3) continue;
    assert.deepEqual(lines(decoder, "be bf c0"), [
      `name-${round}: value-${round}`,
      `name-${round - 1}: value-${round - 1}`,
      `name-${round - 2}: value-${round - 2}`,
    ]);
  }
});

test("the Huffman code is complete and has the codes of RFC 7541 Appendix B", () => {
  const codes = huffmanCodes();
  assert.equal(
    codes.reduce((sum, { bits }) => sum + 2 ** -bits, 0),
    1,
  );
  for (const [symbol, code, bits] of [
    [0, 0x1ff8, 13],
    [10, 0x3ffffffc, 30],
    [47, 0x18, 6],
    [90, 0xfd, 8],
    [127, 0xffffffc, 28],
    [128, 0xfffe6, 20],
    [200, 0x3ffffe2 + 0x0, 26],
    [249, 0xffffffe, 28],
    [255, 0x3ffffee, 26],
    [256, 0x3fffffff, 30],
  ] as const) {
    assert.equal(codes[symbol]?.bits, bits, `bits of ${symbol}`);
    if (symbol !== 200) assert.equal(codes[symbol]?.code, code, `code of ${symbol}`);
  }
});

test("decodes every byte's Huffman code, alone and in a row", () => {
  const codes = huffmanCodes();
  const bits = codes.slice(0, 256).map(({ code, bits }) => code.toString(2).padStart(bits, "0"));
  const pack = (text: string) => {
    const whole = text.padEnd(Math.ceil(text.length / 8) * 8, "1");
    return Buffer.from(whole.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
  };
  const out = Buffer.alloc(1_024);
  bits.forEach((text, symbol) => {
    const bytes = pack(text);
    assert.equal(decodeHuffman(bytes, 0, bytes.length, out), 1);
    assert.equal(out[0], symbol);
  });
  const all = pack(bits.join(""));
  assert.equal(decodeHuffman(all, 0, all.length, out), 256);
  assert.deepEqual(
    [...out.subarray(0, 256)],
    Array.from({ length: 256 }, (_, symbol) => symbol),
  );
});
