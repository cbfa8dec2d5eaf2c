import { ErrorCode, Http2ConnectionError } from "../errors.ts";
import { decodedBytesMax, decodeHuffman } from "./huffman.ts";
import { DynamicTable, ENTRY_OVERHEAD, HeaderField, STATIC_FIELDS, TABLE_BYTES_DEFAULT } from "./table.ts";

/** Takes the fields of a block in their order. */
export interface FieldSink {
  field(field: HeaderField): void;
}

/** No field, table or list comes near it; keeps sums far from overflow. */
const INTEGER_MAX = 2 ** 27;
const FIRST_DYNAMIC = STATIC_FIELDS.length;

/** Where Huffman strings are spelt out; shared by all decoders, since none keeps it beyond one string. */
let scratch = Buffer.allocUnsafeSlow(8_192);

/**
 * Reads the header blocks of one direction in their order (RFC 7541). An indexed field costs no allocation: its strings
 * were made when it entered the table.
 */
export class HpackDecoder {
  /** The largest table that the reading peer has offered the writing one in its SETTINGS. */
  tableBytesMax = TABLE_BYTES_DEFAULT;
  /** Grows whenever a block changed the table: whoever withholds such a block leaves its reader behind. */
  changes = 0;
  /** Of the block read last (RFC 9113 §6.5.2, MAX_HEADER_LIST_SIZE); above `listBytesMax` its later fields were not given. */
  listBytes = 0;

  readonly #listBytesMax: number;
  readonly #table = new DynamicTable();
  #bytes: Buffer = scratch;
  #at = 0;
  #end = 0;

  /** @param listBytesMax  beyond it a list is read on, for the table's sake, but no more of it is given out */
  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  get tooLarge(): boolean {
    return this.listBytes > this.#listBytesMax;
  }

  /** @throws Http2ConnectionError COMPRESSION_ERROR: the table is lost, and with it the connection */
  decode(bytes: Buffer, start: number, end: number, sink: FieldSink): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.listBytes = 0;
    let sizeMayChange = true;
    while (this.#at < this.#end) {
      const first = bytes[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        // RFC 7541 §4.2: only before the first field.
        if (!sizeMayChange) fail("a table size update inside a header block");
        this.#resizeTable();
        continue;
      }
      sizeMayChange = false;
      const field = (first & 0x80) !== 0 ? this.#entry(this.#integer(0x7f)) : this.#literal(first);
      this.listBytes += field.name.length + field.value.length + ENTRY_OVERHEAD;
      if (this.listBytes <= this.#listBytesMax) sink.field(field);
    }
    // Nothing that may be a chunk of 64 KB is kept alive.
    this.#bytes = scratch;
  }

  #resizeTable(): void {
    const bytesMax = this.#integer(0x1f);
    if (bytesMax > this.tableBytesMax) fail("a table size update above the limit");
    this.changes += 1;
    this.#table.resize(bytesMax);
  }

  #literal(first: number): HeaderField {
    const indexed = (first & 0x40) !== 0;
    const nameIndex = this.#integer(indexed ? 0x3f : 0x0f);
    const name = nameIndex === 0 ? this.#string() : this.#entry(nameIndex).name;
    const field = new HeaderField(name, this.#string(), (first & 0xf0) === 0x10);
    if (indexed) {
      this.changes += 1;
      this.#table.insert(field);
    }
    return field;
  }

  #entry(index: number): HeaderField {
    const field = index < FIRST_DYNAMIC ? STATIC_FIELDS[index] : this.#table.at(index - FIRST_DYNAMIC);
    if (field === undefined || index === 0) fail("an index outside the table");
    return field;
  }

  /** RFC 7541 §5.1. */
  #integer(mask: number): number {
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) {
        if (value > INTEGER_MAX) break;
        return value;
      }
    }
    fail("an integer is too large");
  }

  /** RFC 7541 §5.2. */
  #string(): string {
    const huffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) fail("a string reaches beyond its block");
    this.#at = end;
    if (!huffman) return this.#bytes.toString("latin1", start, end);
    const most = decodedBytesMax(length);
    if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most);
    const decoded = decodeHuffman(this.#bytes, start, end, scratch);
    if (decoded < 0) fail("a string's Huffman code is broken");
    return scratch.toString("latin1", 0, decoded);
  }

  #byte(): number {
    if (this.#at >= this.#end) fail("a header block is cut short");
    return this.#bytes[this.#at++] ?? 0;
  }
}

function fail(message: string): never {
  throw new Http2ConnectionError(ErrorCode.COMPRESSION_ERROR, message);
}
