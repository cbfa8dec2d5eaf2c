import type { Located, Position, ServerNamePattern } from "../../model/index.ts";
import { closest, normalServerName } from "../../model/index.ts";
import { isHostName } from "./address.ts";
import { FETCHES } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import { splitConverters } from "./server-params.ts";
import type { Word } from "./words.ts";

/** What one `FETCH [flags] value...` asks. */
export type Expression =
  /** The server name of the TLS that the gate ends (`ssl_fc_sni`), or of the ClientHello it passes on (`req.ssl_sni`). */
  | {
      readonly kind: "name";
      readonly from: NameSource;
      readonly names: readonly Located<ServerNamePattern>[];
    }
  /** Whether a ClientHello is there (`req.ssl_hello_type 1`). */
  | { readonly kind: "hello" }
  | { readonly kind: "always"; readonly value: boolean }
  /** Something of a request: a path, a header. Backends are not chosen by it; `instead` asks the server name. */
  | { readonly kind: "request"; readonly fetch: string; readonly instead: string }
  | { readonly kind: "not-yet"; readonly fetch: string }
  /** Already told. */
  | { readonly kind: "broken" };

export type NameSource = "terminated" | "hello";

/** Reads an expression from its words (HAProxy manual §7.1); there is at least the fetch. */
export function readExpression(words: readonly Word[], line: Line): Expression {
  const [fetch, ...rest] = words;
  if (fetch === undefined) throw new Error("an expression has a fetch");
  const [sample, ...converters] = splitConverters(fetch.value);
  const lowered = converters.every((converter) => converter === "lower" || converter === "lower()");
  const found = /^(ssl_fc_sni|req\.ssl_sni|req_ssl_sni)(?:_(beg|end|sub|reg))?$/.exec(sample);
  if (found !== null && lowered) {
    const from = found[1] === "ssl_fc_sni" ? "terminated" : "hello";
    return readNames(from, found[2] ?? "str", rest, fetch, line);
  }
  if (sample === "ssl_fc_has_sni" && rest.length === 0) {
    return { kind: "name", from: "terminated", names: [{ value: { kind: "any" }, at: fetch.at }] };
  }
  if (sample === "req.ssl_hello_type" || sample === "req_ssl_hello_type") {
    return rest.length === 1 && rest[0]!.value === "1"
      ? { kind: "hello" }
      : { kind: "not-yet", fetch: sample };
  }
  return readOtherFetch(sample, rest, fetch, line);
}

function readOtherFetch(sample: string, values: readonly Word[], fetch: Word, line: Line): Expression {
  const name = sample.replace(/\(.*$/, "").replace(/_(beg|dir|dom|end|len|reg|sub)$/, "");
  if (!FETCHES.has(name)) {
    const best = closest(name, [...FETCHES, "ssl_fc_sni_end", "ssl_fc_sni_reg"]);
    line.problems.error(
      fetch.at,
      `unknown sample "${fetch.value}"`,
      best === undefined ? undefined : `did you mean "${best}"?`,
    );
    return { kind: "broken" };
  }
  if (
    !/^(path|pathq|url|base|baseq|query|method|meth|urlp|url_param|(req\.|req\.f)?hdr|req\.fhdr|cook|cookie|req\.cook)$/.test(
      name,
    )
  ) {
    return { kind: "not-yet", fetch: sample };
  }
  return { kind: "request", fetch: sample, instead: byServerName(sample, values) };
}

/** `hdr(host) -i x` asks for what `ssl_fc_sni -i x` asks; for others, an example. */
function byServerName(sample: string, words: readonly Word[]): string {
  const how = /^(?:req\.f?)?hdr(?:_(beg|end|sub|reg))?\(host\)$/i.exec(sample);
  const values = words.map(({ value }) => value);
  const flag = values.indexOf("-m");
  const match = flag < 0 ? how?.[1] : values.splice(flag, 2)[1];
  const names = values.filter((value) => !value.startsWith("-"));
  if (how === null || names.length === 0) return "ssl_fc_sni -i api.example.com";
  const method = match === undefined || match === "str" ? "" : ` -m ${match}`;
  return `ssl_fc_sni -i${method} ${names.join(" ")}`;
}

/** Flags, then one or several names of which one must match (manual §7.1.2). */
function readNames(
  from: NameSource,
  method: string,
  words: readonly Word[],
  fetch: Word,
  line: Line,
): Expression {
  let match = method;
  let index = 0;
  for (; index < words.length && words[index]!.value.startsWith("-"); index++) {
    const { value, at } = words[index]!;
    if (value === "--") {
      index++;
      break;
    }
    if (value === "-i" || value === "-n") continue;
    if (value === "-m") {
      const given = words[++index];
      if (given === undefined || !MATCHES.has(given.value)) return refuseMatch(given, at, line);
      match = given.value;
      continue;
    }
    if (value === "-f" || value === "-M" || value === "-u") {
      notYet(
        line.problems,
        at,
        `"${value}" of an ACL`,
        value === "-f" ? "write the names themselves" : undefined,
      );
      return { kind: "broken" };
    }
    line.problems.error(
      at,
      `unknown flag "${value}" of an ACL`,
      "-i, -m METHOD, or -- before a value that begins with -",
    );
    return { kind: "broken" };
  }
  const values = words.slice(index);
  if (match === "found") return { kind: "name", from, names: [{ value: { kind: "any" }, at: fetch.at }] };
  if (values.length === 0) {
    line.problems.error(
      fetch.at,
      `"${fetch.value}" is compared with no name, so it never holds`,
      '"-m found" asks for any name',
    );
    return { kind: "broken" };
  }
  const names = values.flatMap((value) => readName(match, value, line) ?? []);
  return names.length === values.length ? { kind: "name", from, names } : { kind: "broken" };
}

const MATCHES: ReadonlySet<string> = new Set(["str", "beg", "end", "sub", "reg", "found"]);
const OTHER_MATCHES: ReadonlySet<string> = new Set(["bool", "int", "ip", "bin", "len", "dir", "dom"]);

function refuseMatch(given: Word | undefined, flag: Position, line: Line): Expression {
  if (given !== undefined && OTHER_MATCHES.has(given.value)) {
    notYet(
      line.problems,
      given.at,
      `"-m ${given.value}" for a server name`,
      "use str, beg, end, sub, reg or found",
    );
  } else {
    line.problems.error(
      given?.at ?? flag,
      "this is no way to compare a name",
      "-m str, beg, end, sub, reg or found",
    );
  }
  return { kind: "broken" };
}

/** Names have no case (RFC 4343); HAProxy compares bytes unless told `-i`. */
function readName(match: string, { value, at }: Word, line: Line): Located<ServerNamePattern> | undefined {
  switch (match) {
    case "beg":
      return { value: { kind: "prefix", value: value.toLowerCase() }, at };
    case "end":
      return { value: { kind: "suffix", value: normalServerName(value) }, at };
    case "sub":
      return { value: { kind: "substring", value: value.toLowerCase() }, at };
    case "reg":
      return isRegex(value) ? { value: { kind: "regex", value }, at } : refuseRegex(value, at, line);
    default:
      return readExactName(value, at, line);
  }
}

function readExactName(value: string, at: Position, line: Line): Located<ServerNamePattern> | undefined {
  if (isHostName(value)) return { value: { kind: "exact", value: normalServerName(value) }, at };
  const wildcard = /^\*(\..+)$/.exec(value)?.[1];
  line.problems.error(
    at,
    wildcard === undefined
      ? `"${value}" is no server name: no client ever sends it`
      : `"${value}" is compared letter by letter, star included: no client ever sends it`,
    wildcard === undefined ? undefined : `for all names below it write "-m end ${wildcard}"`,
  );
  return undefined;
}

function refuseRegex(value: string, at: Position, line: Line): undefined {
  line.problems.error(at, `"${value}" is not a regular expression`);
  return undefined;
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text, "i");
    return true;
  } catch {
    return false;
  }
}
