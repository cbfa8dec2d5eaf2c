/**
 * The dictionary that header blocks of SPDY/3 and SPDY/3.1 are compressed against (draft-mbelshe-httpbis-spdy-00
 * §2.6.10.1): words with their 32-bit length before them, then one run of text. 1423 bytes, Adler-32 e3c6a7c2.
 */
export const headerDictionary: Buffer = Buffer.concat([...words().map(lengthPrefixed), Buffer.from(text())]);

/** Adler-32 of the dictionary: the DICTID of the zlib header (RFC 1950 §2.2). */
export const headerDictionaryId = 0xe3c6a7c2;

function lengthPrefixed(word: string): Buffer {
  const bytes = Buffer.alloc(4 + word.length);
  bytes.writeUInt32BE(word.length);
  bytes.write(word, 4, "latin1");
  return bytes;
}

function words(): string[] {
  const methods = "options head post put delete trace";
  const headers = `accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control
    connection content-base content-encoding content-language content-length content-location content-md5 content-range
    content-type date etag expect expires from host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
    retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate`;
  const pairs = ["method", "get", "status", "200 OK", "version", "HTTP/1.1"];
  const rest = "url public set-cookie keep-alive origin";
  return [...split(methods), ...split(headers), ...pairs, ...split(rest)];
}

function split(list: string): string[] {
  return list.trim().split(/\s+/);
}

function text(): string {
  return (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505" +
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized" +
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable" +
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT" +
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain," +
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
  );
}
