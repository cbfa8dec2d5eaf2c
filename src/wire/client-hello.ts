/** What a TLS client asks for before anything is encrypted (RFC 8446 §4.1.2). */
export interface ClientHello {
  /** `server_name` in lower case without a trailing dot (RFC 6066 §3); undefined: none sent. */
  readonly serverName: string | undefined;
  /** Protocol names in the client's order (RFC 7301); undefined: the extension is absent. */
  readonly alpn: readonly string[] | undefined;
}

export type HelloResult =
  | { readonly kind: "more" }
  | { readonly kind: "hello"; readonly hello: ClientHello }
  /** `http`: the client speaks plain HTTP. `garbage`: neither, or not as RFC 8446 says. */
  | { readonly kind: "not-tls"; readonly what: "http" | "garbage" };

/** Bytes of a ClientHello at the most, over all its records. Post-quantum key shares take about 2 KB. */
export const HELLO_BYTES_MAX = 16_384;

const MORE: HelloResult = { kind: "more" };
const GARBAGE: HelloResult = { kind: "not-tls", what: "garbage" };
const HTTP: HelloResult = { kind: "not-tls", what: "http" };

/** Records that a ClientHello may be cut into: the largest one, in pieces of 512 bytes (RFC 6066 §4), twice over. */
const RECORDS_MAX = 64;
/** RFC 1035 §2.3.4; OpenSSL takes no more either (TLSEXT_MAXLEN_host_name). */
const NAME_BYTES_MAX = 255;

const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const CONTENT_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;

/**
 * Reads a ClientHello from the first bytes of a connection. It may span records and segments: call again with all the
 * bytes so far while the answer is `more`. Nothing is consumed.
 */
export function readClientHello(bytes: Buffer): HelloResult {
  if (bytes.length === 0) return MORE;
  if (bytes[0] !== CONTENT_HANDSHAKE) return looksLikeHttp(bytes) ? HTTP : GARBAGE;
  const message = gatherHandshake(bytes);
  if (!Buffer.isBuffer(message)) return message;
  const hello = parseHello(message);
  return hello === undefined ? GARBAGE : { kind: "hello", hello };
}

/**
 * The body of the first handshake message, put together from its records (RFC 8446 §5.1). Looks at no more than
 * `RECORDS_MAX` heads and copies once, since it is done anew for every segment and the client chooses how small they are.
 */
function gatherHandshake(bytes: Buffer): Buffer | HelloResult {
  const parts: Buffer[] = [];
  let gathered = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let offset = 0;
  for (;;) {
    if (gathered >= HANDSHAKE_HEADER && wanted === Number.POSITIVE_INFINITY) {
      const head = Buffer.concat(parts, HANDSHAKE_HEADER);
      if (head[0] !== HANDSHAKE_CLIENT_HELLO) return GARBAGE;
      const length = head.readUIntBE(1, 3);
      if (length > HELLO_BYTES_MAX) return GARBAGE;
      wanted = HANDSHAKE_HEADER + length;
    }
    if (gathered >= wanted) return Buffer.concat(parts).subarray(HANDSHAKE_HEADER, wanted);
    if (gathered > 0 && parts[0]?.[0] !== HANDSHAKE_CLIENT_HELLO) return GARBAGE;
    if (bytes.length - offset < RECORD_HEADER) return partialRecord(bytes, offset);
    if (bytes[offset] !== CONTENT_HANDSHAKE || bytes[offset + 1] !== 3) return GARBAGE;
    const length = bytes.readUInt16BE(offset + 3);
    if (length === 0 || length > HELLO_BYTES_MAX || parts.length === RECORDS_MAX) return GARBAGE;
    const available = Math.min(length, bytes.length - offset - RECORD_HEADER);
    if (available > 0) parts.push(bytes.subarray(offset + RECORD_HEADER, offset + RECORD_HEADER + available));
    gathered += available;
    offset += RECORD_HEADER + length;
  }
}

function partialRecord(bytes: Buffer, offset: number): HelloResult {
  if (offset < bytes.length && bytes[offset] !== CONTENT_HANDSHAKE) return GARBAGE;
  if (offset + 1 < bytes.length && bytes[offset + 1] !== 3) return GARBAGE;
  return MORE;
}

function looksLikeHttp(bytes: Buffer): boolean {
  const start = bytes.toString("latin1", 0, 8);
  return ["GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "PRI * "].some(
    (method) =>
      start.startsWith(method.slice(0, 8)) || (start.length < method.length && method.startsWith(start)),
  );
}

function parseHello(body: Buffer): ClientHello | undefined {
  // legacy_version, random, session id, cipher suites, compression methods
  let offset = 34;
  if (body.length < offset + 1) return undefined;
  offset += 1 + body[offset]!;
  if (body.length < offset + 2) return undefined;
  offset += 2 + body.readUInt16BE(offset);
  if (body.length < offset + 1) return undefined;
  offset += 1 + body[offset]!;
  if (offset === body.length) return { serverName: undefined, alpn: undefined };
  if (body.length < offset + 2) return undefined;
  const end = offset + 2 + body.readUInt16BE(offset);
  if (end !== body.length) return undefined;
  return parseExtensions(body, offset + 2, end);
}

function parseExtensions(body: Buffer, start: number, end: number): ClientHello | undefined {
  let serverName: string | undefined;
  let alpn: string[] | undefined;
  let offset = start;
  while (offset < end) {
    if (end - offset < 4) return undefined;
    const type = body.readUInt16BE(offset);
    const length = body.readUInt16BE(offset + 2);
    offset += 4;
    if (length > end - offset) return undefined;
    const data = body.subarray(offset, offset + length);
    offset += length;
    if (type === EXTENSION_SERVER_NAME) {
      if (serverName !== undefined) return undefined;
      serverName = parseServerName(data);
      if (serverName === undefined) return undefined;
    } else if (type === EXTENSION_ALPN) {
      if (alpn !== undefined) return undefined;
      alpn = parseAlpn(data);
      if (alpn === undefined) return undefined;
    }
  }
  return { serverName, alpn };
}

/** RFC 6066 §3: a list with one host_name; an ASCII host name, so other bytes are refused. */
function parseServerName(data: Buffer): string | undefined {
  if (data.length < 5 || data.readUInt16BE(0) !== data.length - 2 || data[2] !== 0) return undefined;
  const length = data.readUInt16BE(3);
  if (length === 0 || length > NAME_BYTES_MAX || length !== data.length - 5) return undefined;
  const name = data.toString("latin1", 5).toLowerCase();
  if (!/^[a-z0-9._-]+$/.test(name)) return undefined;
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/** RFC 7301 §3.1: a list of names of 1 to 255 bytes. */
function parseAlpn(data: Buffer): string[] | undefined {
  if (data.length < 2 || data.readUInt16BE(0) !== data.length - 2) return undefined;
  const names: string[] = [];
  let offset = 2;
  while (offset < data.length) {
    const length = data[offset]!;
    offset += 1;
    if (length === 0 || length > data.length - offset) return undefined;
    names.push(data.toString("latin1", offset, offset + length));
    offset += length;
  }
  return names.length === 0 ? undefined : names;
}
