import type { CheckMethod, Located, Problems } from "../../model/index.ts";
import { type Line, notYet } from "./line.ts";
import type { Word } from "./words.ts";

type HttpCheck = Extract<CheckMethod, { kind: "http" }>;

/** What `option httpchk` and `http-check` lines add up to. */
export interface CheckSettings {
  kind?: Located<"connect" | "http">;
  method?: string;
  path?: string;
  version?: HttpCheck["version"];
  headers?: HttpCheck["headers"];
  expect?: Located<HttpCheck["expect"]>;
  /** The first `http-check` line, to complain when `option httpchk` is missing. */
  rules?: Word;
}

/** `option httpchk [[METHOD] URI [VERSION [HOST]]]` (manual §4.2); the option's name is already read. */
export function readHttpchk(settings: CheckSettings, option: Word, line: Line): void {
  settings.kind = { value: "http", at: option.at };
  const [first, second, third] = [line.next(), line.next(), line.next()];
  if (first === undefined) return;
  settings.method = second === undefined ? "OPTIONS" : first.value;
  settings.path = (second ?? first).value;
  checkPath(second ?? first, line);
  if (third !== undefined) readVersion(settings, third, line);
  const host = line.next();
  if (host !== undefined) addHeader(settings, { value: "Host", at: host.at }, host.value, line);
}

/** `http-check send …` and `http-check expect …`; the keyword is already read. */
export function readHttpCheck(settings: CheckSettings, line: Line): void {
  settings.rules ??= line.keyword;
  const what = line.expect('what "http-check" is about', "http-check send, or http-check expect status 200");
  if (what === undefined) return;
  if (what.value === "send") readSend(settings, line);
  else if (what.value === "expect") readExpect(settings, what, line);
  else if (OTHERS.has(what.value)) notYet(line.problems, what.at, `"http-check ${what.value}"`);
  else if (what.value !== "comment") {
    line.problems.error(
      what.at,
      `unknown keyword "http-check ${what.value}"`,
      "http-check send, or http-check expect",
    );
  }
  if (OTHERS.has(what.value) || what.value === "comment") line.rest();
}

const OTHERS = new Set(["connect", "disable-on-404", "send-state", "set-var", "set-var-fmt", "unset-var"]);

function readSend(settings: CheckSettings, line: Line): void {
  for (let word = line.next(); word !== undefined; word = line.next()) {
    const value = line.expect(`what "${word.value}" is to be`);
    if (value === undefined) return;
    if (word.value === "meth") settings.method = value.value;
    else if (word.value === "uri") {
      settings.path = value.value;
      checkPath(value, line);
    } else if (word.value === "ver") readVersion(settings, value, line);
    else if (word.value === "hdr") {
      const content = line.expect(`the value of the header ${value.value}`);
      if (content !== undefined) addHeader(settings, value, content.value, line);
    } else if (["body", "body-lf", "uri-lf"].includes(word.value)) {
      notYet(line.problems, word.at, `"http-check send ${word.value}"`);
    } else {
      line.problems.error(
        word.at,
        `unknown word "${word.value}" of http-check send`,
        "meth, uri, ver or hdr",
      );
      return;
    }
  }
}

/** An old way to add headers wrote them behind the version: `HTTP/1.1\r\nHost:\ name`. */
function readVersion(settings: CheckSettings, word: Word, line: Line): void {
  const [version, ...headers] = word.value.split("\r\n");
  if (version !== "HTTP/1.0" && version !== "HTTP/1.1") {
    if (/^HTTP\/[23]/.test(word.value))
      notYet(line.problems, word.at, `a check over ${word.value}`, "write HTTP/1.1");
    else line.problems.error(word.at, `"${version}" is no version`, "HTTP/1.0 or HTTP/1.1");
    return;
  }
  settings.version = version;
  for (const header of headers) {
    const colon = header.indexOf(":");
    if (colon > 0)
      addHeader(
        settings,
        { value: header.slice(0, colon), at: word.at },
        header.slice(colon + 1).trim(),
        line,
      );
  }
}

function addHeader(settings: CheckSettings, name: Word, value: string, line: Line): void {
  // RFC 9110 §5.1 (token) and §5.5: anything else would end the header, or the request.
  const valid = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name.value) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
  if (valid) settings.headers = [...(settings.headers ?? []), [name.value, value]];
  else line.problems.error(name.at, `"${name.value}" or its value cannot be a header`);
}

function checkPath({ value, at }: Word, line: Line): void {
  if (value === "*" || /^\/[\x21-\x7e]*$/.test(value)) return;
  line.problems.error(at, `"${value}" is no path`, "it begins with a slash: /readyz");
}

/** `http-check expect [...] status 200-299,401`. */
function readExpect(settings: CheckSettings, keyword: Word, line: Line): void {
  if (settings.expect !== undefined && settings.expect.at.line !== keyword.at.line) {
    notYet(
      line.problems,
      keyword.at,
      'a second "http-check expect"',
      "write all statuses into one line: status 200-299,401",
    );
    line.rest();
    return;
  }
  const kind = line.expect("what is expected", "http-check expect status 200");
  if (kind === undefined) return;
  if (kind.value !== "status") {
    notYet(
      line.problems,
      kind.at,
      `"http-check expect ${kind.value}"`,
      "write: http-check expect status 200",
    );
    line.rest();
    return;
  }
  const word = line.expect("the statuses that pass", "such as 200-299,401");
  if (word === undefined) return;
  const ranges = word.value.split(",").map((range) => /^(\d{3})(?:-(\d{3}))?$/.exec(range));
  if (ranges.some((range) => range === null || Number(range[2] ?? range[1]) < Number(range[1]))) {
    line.problems.error(word.at, `"${word.value}" is no list of statuses`, "such as 200-299,401");
    return;
  }
  const expect = ranges.map((range) => [Number(range![1]), Number(range![2] ?? range![1])] as const);
  settings.expect = { value: expect, at: word.at };
}

/** The check of a backend; warns of one that a Kubernetes API answers with 401 or 403. */
export function draftCheckMethod(
  settings: CheckSettings,
  problems: Problems,
): Located<CheckMethod> | undefined {
  if (settings.kind === undefined || settings.kind.value === "connect") {
    if (settings.rules !== undefined) {
      problems.warning(
        settings.rules.at,
        '"http-check" does nothing without "option httpchk"',
        "add: option httpchk",
      );
    }
    return settings.kind && { value: { kind: "connect" }, at: settings.kind.at };
  }
  const method = settings.method ?? "OPTIONS";
  if (settings.expect === undefined && method === "OPTIONS") {
    problems.warning(
      settings.kind.at,
      "a Kubernetes API answers OPTIONS with 401 or 403: Postern takes those for alive, HAProxy for down",
      'write "option httpchk GET /readyz" and "http-check expect status 200"',
    );
  }
  return {
    value: {
      kind: "http",
      method,
      path: settings.path ?? "/",
      version: settings.version ?? "HTTP/1.0",
      headers: settings.headers ?? [],
      expect: settings.expect?.value ?? [],
    },
    at: settings.kind.at,
  };
}
