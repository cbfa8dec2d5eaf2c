/** As much of the protocol buffers wire format as the sandbox needs (protobuf.dev, "Encoding"). */

/** What stands in one message: by field number, every value in the order it came. */
export type ProtoFields = ReadonlyMap<number, readonly (number | Buffer)[]>;

/** @throws Error when the bytes are no message */
export function decodeMessage(bytes: Buffer): ProtoFields {
  const fields = new Map<number, (number | Buffer)[]>();
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[offset];
      if (byte === undefined) throw new Error("protobuf: the message ends inside a number");
      offset += 1;
      value += (byte & 0x7f) * shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (offset + length > bytes.length) throw new Error("protobuf: the message ends inside a field");
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  const value = (wireType: number): number | Buffer => {
    if (wireType === 0) return varint();
    if (wireType === 1) return take(8);
    if (wireType === 2) return take(varint());
    if (wireType === 5) return take(4);
    throw new Error(`protobuf: wire type ${wireType} is not known`);
  };
  while (offset < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const found = fields.get(number) ?? [];
    fields.set(number, found);
    found.push(value(tag % 8));
  }
  return fields;
}

/** A length-delimited field: text, bytes or a message. */
export function encodeBytes(field: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([encodeVarint(field * 8 + 2), encodeVarint(bytes.length), bytes]);
}

export function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
