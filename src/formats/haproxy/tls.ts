import type { Located, Problems, TlsVersion } from "../../model/index.ts";
import { type Line, notYet } from "./line.ts";
import type { Word } from "./words.ts";

const VERSIONS = ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;

/** The version limits that `bind`, `server` and the global options write alike (manual §5.1, §5.2, §3.1). */
export interface VersionLimits {
  minVersion?: Located<TlsVersion>;
  maxVersion?: Located<TlsVersion>;
}

/** @returns false when the word is not about versions. */
export function readVersionWord(limits: VersionLimits, word: Word, line: Line): boolean {
  const { value, at } = word;
  if (value === "ssl-min-ver" || value === "ssl-max-ver") {
    if (line.peek()?.value === "SSLv3") {
      notYet(line.problems, line.next()!.at, "SSLv3");
      return true;
    }
    const version = line.oneOf(`the version of ${value}`, VERSIONS);
    if (version === undefined) return true;
    const named = { value: spelt(version.value), at: version.at };
    if (value === "ssl-min-ver") limits.minVersion = named;
    else limits.maxVersion = named;
    return true;
  }
  const forced = /^force-(sslv3|tlsv1[0-3])$/.exec(value);
  if (forced !== null) {
    if (forced[1] === "sslv3") notYet(line.problems, at, "SSLv3");
    else {
      limits.minVersion = { value: numbered(forced[1]!), at };
      limits.maxVersion = { value: numbered(forced[1]!), at };
    }
    return true;
  }
  const refused = /^no-(sslv3|tlsv1[0-3])$/.exec(value);
  if (refused === null) return false;
  if (refused[1] !== "sslv3") refuse(limits, numbered(refused[1]!), word);
  return true;
}

/** 1.2 is the lowest unless more is asked for, so that leaving 1.0 or 1.1 out changes nothing. */
function refuse(limits: VersionLimits, version: TlsVersion, { at }: Word): void {
  if (version === "TLSv1" || version === "TLSv1.1") return;
  if (version === "TLSv1.2") limits.minVersion = { value: "TLSv1.3", at };
  else limits.maxVersion = { value: "TLSv1.2", at };
}

function spelt(version: (typeof VERSIONS)[number]): TlsVersion {
  return version === "TLSv1.0" ? "TLSv1" : version;
}

/** `tlsv12` → `TLSv1.2`. */
function numbered(word: string): TlsVersion {
  const minor = word.slice(-1);
  return minor === "0" ? "TLSv1" : minor === "1" ? "TLSv1.1" : minor === "2" ? "TLSv1.2" : "TLSv1.3";
}

/** `h2,http/1.1`: an ALPN list. In mode http only what the gate speaks is of use; that is asked once the mode is known. */
export function readAlpn(line: Line): Located<readonly string[]> | undefined {
  const word = line.expect("the list of protocols", "such as h2,http/1.1");
  if (word === undefined) return undefined;
  const protocols = word.value.split(",");
  if (protocols.some((protocol) => protocol === "" || protocol.length > 255)) {
    line.problems.error(
      word.at,
      `"${word.value}" is no list of protocols`,
      "separated by commas without spaces: h2,http/1.1",
    );
    return undefined;
  }
  return { value: protocols, at: word.at };
}

/** In mode http the gate speaks HTTP/2 and HTTP/1.1 and nothing else. */
export function checkHttpAlpn(alpn: Located<readonly string[]>, problems: Problems): void {
  const strange = alpn.value.find(
    (protocol) => protocol !== "h2" && protocol !== "http/1.1" && protocol !== "http/1.0",
  );
  if (strange === undefined) return;
  problems.error(alpn.at, `mode http speaks h2 and http/1.1, not "${strange}"`, "alpn h2,http/1.1");
}
