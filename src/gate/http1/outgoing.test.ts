import assert from "node:assert/strict";
import { test } from "node:test";
import { Outgoing } from "./outgoing.ts";

const head = Buffer.alloc(300, "h");
const added = Buffer.alloc(30, "x");

for (const { rule, sizes, writes } of [
  { rule: "what is small goes out in one write", sizes: [300, 30, 2_000], writes: 1 },
  { rule: "a body too large to be joined follows its head whole", sizes: [300, 30, 16_084], writes: 2 },
  { rule: "a head too large to be joined goes before the rest", sizes: [20_000, 30, 2], writes: 2 },
  { rule: "large ones go one by one", sizes: [20_000, 20_000, 20_000, 20_000], writes: 4 },
]) {
  test(rule, () => {
    const out = new Outgoing();
    const pieces = sizes.map((size, index) => Buffer.alloc(size, String(index)));
    for (const piece of pieces) out.add(piece, 0, piece.length);
    const written: Buffer[] = [];
    for (let bytes = out.shift(); bytes !== undefined; bytes = out.shift()) written.push(bytes);
    assert.ok(Buffer.concat(written).equals(Buffer.concat(pieces)), "every byte, in order");
    assert.equal(written.length, writes);
  });
}

test("ranges of one buffer that touch are one piece, and others keep their order", () => {
  const out = new Outgoing();
  out.add(head, 0, 100);
  out.add(head, 100, 200);
  out.add(added, 0, added.length);
  out.add(head, 200, 300);
  assert.equal(out.shift()?.toString(), `${"h".repeat(200)}${"x".repeat(30)}${"h".repeat(100)}`);
  assert.equal(out.shift(), undefined);
});
