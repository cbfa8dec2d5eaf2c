/** What an entry costs beyond its characters (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;
/** Both sides' table before any SETTINGS (RFC 9113 §6.5.2). */
export const TABLE_BYTES_DEFAULT = 4_096;

/** One header field; both strings hold one byte a character (latin1). Shared while it stands in a table: never changed. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** Its sender forbids every table on the way to keep it (RFC 7541 §6.2.3). */
  readonly neverIndexed: boolean;
  /** What its reader found out about it, so that an indexed field is judged once; 0: nothing yet. */
  mark = 0;

  constructor(name: string, value: string, neverIndexed = false) {
    this.name = name;
    this.value = value;
    this.neverIndexed = neverIndexed;
  }
}

/** RFC 7541 Appendix A, from index 1. */
const STATIC: readonly (readonly [name: string, value?: string])[] = [
  [":authority"],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
];

/** Index 0 is none. */
export const STATIC_FIELDS: readonly HeaderField[] = [
  new HeaderField("", ""),
  ...STATIC.map(([name, value = ""]) => new HeaderField(name, value)),
];

const STATIC_NAMES = new Map<string, number>();
for (let index = STATIC_FIELDS.length - 1; index > 0; index--) {
  STATIC_NAMES.set(STATIC_FIELDS[index]?.name ?? "", index);
}

/** The first static entry with this name; 0 when there is none. */
export function staticNameIndex(name: string): number {
  return STATIC_NAMES.get(name) ?? 0;
}

/** The dynamic table of one direction (RFC 7541 §2.3.2), as its decoder sees it. */
export class DynamicTable {
  /** A ring whose length is a power of two; `#newest` is where the entry of index 62 stands. */
  #ring: (HeaderField | undefined)[] = new Array(16);
  #newest = 0;
  #count = 0;
  #bytes = 0;
  #bytesMax = TABLE_BYTES_DEFAULT;

  /** @param age  0 is the newest entry */
  at(age: number): HeaderField | undefined {
    return age < this.#count ? this.#ring[(this.#newest - age) & (this.#ring.length - 1)] : undefined;
  }

  insert(field: HeaderField): void {
    const size = field.name.length + field.value.length + ENTRY_OVERHEAD;
    // An entry larger than the table empties it and is not kept (RFC 7541 §4.4).
    this.#evictTo(this.#bytesMax - size);
    if (size > this.#bytesMax) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = field;
    this.#count += 1;
    this.#bytes += size;
  }

  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytes: number): void {
    while (this.#count > 0 && this.#bytes > bytes) {
      const oldest = (this.#newest - this.#count + 1) & (this.#ring.length - 1);
      const field = this.#ring[oldest];
      if (field !== undefined) this.#bytes -= field.name.length + field.value.length + ENTRY_OVERHEAD;
      this.#ring[oldest] = undefined;
      this.#count -= 1;
    }
  }

  #grow(): void {
    const larger: (HeaderField | undefined)[] = new Array(this.#ring.length * 2);
    for (let age = 0; age < this.#count; age++) larger[this.#count - 1 - age] = this.at(age);
    this.#ring = larger;
    this.#newest = this.#count - 1;
  }
}
