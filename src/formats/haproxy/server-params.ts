import { isIP } from "node:net";
import type {
  CertificateFile,
  DraftServerTls,
  Located,
  Position,
  ServerNameSource,
} from "../../model/index.ts";
import { closest, normalServerName } from "../../model/index.ts";
import { isHostName } from "./address.ts";
import { based } from "./bind.ts";
import type { Global } from "./global.ts";
import { FETCHES, SERVER_PARAMS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import { readAlpn, readVersionWord, type VersionLimits } from "./tls.ts";
import { readInteger, readTimeMs } from "./units.ts";
import type { Word } from "./words.ts";

/** What `default-server` and `server` lines add up to. */
export interface ServerParams extends VersionLimits {
  check?: Located<boolean>;
  interMs?: Located<number>;
  fastInterMs?: Located<number>;
  downInterMs?: Located<number>;
  rise?: Located<number>;
  fall?: Located<number>;
  checkPort?: Located<number>;
  checkHost?: Located<string>;
  checkTls?: Located<boolean>;
  checkSni?: Located<string>;
  ssl?: Located<boolean>;
  verify?: Located<"none" | "required">;
  ca?: DraftServerTls["ca"];
  sni?: Located<ServerNameSource>;
  verifyHost?: Located<string>;
  alpn?: Located<readonly string[]>;
  ciphers?: Located<string>;
  cipherSuites?: Located<string>;
  certificate?: CertificateFile;
  weight?: Located<number>;
  backup?: Located<boolean>;
  disabled?: Located<boolean>;
  connectionsMax?: Located<number>;
  incomplete?: boolean;
}

/** The parameters of a `server` or `default-server` line (manual §5.2), on top of what was inherited. */
export function readParams(line: Line, inherited: ServerParams, global: Global): ServerParams {
  const errorsBefore = line.problems.errors;
  const params: ServerParams = { ...inherited };
  let tlsWord: Word | undefined;
  for (let word = line.next(); word !== undefined; word = line.next()) {
    if (TLS_WORDS.test(word.value)) tlsWord ??= word;
    readParam(params, word, line, global);
  }
  const isServer = line.keyword.value === "server";
  if (isServer && tlsWord !== undefined && params.ssl?.value !== true && params.checkTls?.value !== true) {
    line.problems.error(
      tlsWord.at,
      `"${tlsWord.value}" without "ssl": HAProxy would speak plain text to this server without a word`,
      `write "ssl ${tlsWord.value} …", or remove "${tlsWord.value}"`,
    );
  }
  if (isServer && params.checkTls?.value === true && params.ssl?.value !== true) {
    notYet(line.problems, params.checkTls.at, '"check-ssl" for a server without "ssl"');
  }
  if (line.problems.errors > errorsBefore) params.incomplete = true;
  return params;
}

const TLS_WORDS =
  /^(ca-file|verify|verifyhost|sni|alpn|crt|ciphers|ciphersuites|ssl-(min|max)-ver|(force|no)-(sslv3|tlsv1[0-3]))$/;

function readParam(params: ServerParams, word: Word, line: Line, global: Global): void {
  if (readVersionWord(params, word, line)) return;
  const { value, at } = word;
  const read = UNDERSTOOD[value];
  if (read !== undefined) {
    Object.assign(params, read(line, global, at));
    return;
  }
  const count = SERVER_PARAMS.get(value);
  if (count === undefined) {
    const meant = closest(value, SERVER_PARAMS.keys());
    const hint = meant && `did you mean "${meant}"?`;
    line.problems.error(at, `unknown parameter "${value}" of ${line.keyword.value}`, hint);
    line.skip(meant === undefined ? 0 : (SERVER_PARAMS.get(meant) ?? 0));
    return;
  }
  line.skip(count);
  if (!QUIET.has(value)) notYet(line.problems, at, `"${value}" of a server`, HINTS[value]);
}

type Reader = (line: Line, global: Global, at: Position) => Partial<ServerParams>;

const UNDERSTOOD: Readonly<Record<string, Reader>> = {
  check: (_line, _global, at) => ({ check: { value: true, at } }),
  "no-check": (_line, _global, at) => ({ check: { value: false, at } }),
  inter: (line) => ({ interMs: readTimeMs(line, "inter", 1) }),
  fastinter: (line) => ({ fastInterMs: readTimeMs(line, "fastinter", 1) }),
  downinter: (line) => ({ downInterMs: readTimeMs(line, "downinter", 1) }),
  rise: (line) => ({ rise: readInteger(line, "rise", { min: 1 }) }),
  fall: (line) => ({ fall: readInteger(line, "fall", { min: 1 }) }),
  port: (line) => ({ checkPort: readInteger(line, "the port of the check", { min: 1, max: 65_535 }) }),
  addr: (line) => ({ checkHost: readHost(line, "the address of the check") }),
  "check-ssl": (_line, _global, at) => ({ checkTls: { value: true, at } }),
  "no-check-ssl": () => ({ checkTls: undefined }),
  "check-sni": (line) => ({ checkSni: readHost(line, "the server name of the check") }),
  ssl: (_line, _global, at) => ({ ssl: { value: true, at } }),
  "no-ssl": (_line, _global, at) => ({ ssl: { value: false, at } }),
  verify: (line) => ({ verify: line.oneOf("verify", ["none", "required"]) }),
  verifyhost: (line) => ({ verifyHost: readHost(line, "the name the certificate must carry") }),
  "no-verifyhost": () => ({ verifyHost: undefined }),
  sni: (line) => ({ sni: readSni(line) }),
  "ca-file": (line, global) => ({ ca: readCa(line, global) }),
  crt: (line, global) => {
    const path = line.expect("the path of the client certificate", "crt /path/to/bundle.pem");
    return { certificate: path && based(path, global.crtBase) };
  },
  alpn: (line) => ({ alpn: readAlpn(line) }),
  ciphers: (line) => ({ ciphers: line.expect("the list of ciphers") }),
  ciphersuites: (line) => ({ cipherSuites: line.expect("the list of cipher suites") }),
  weight: (line) => ({ weight: readInteger(line, "weight", { max: 256 }) }),
  backup: (_line, _global, at) => ({ backup: { value: true, at } }),
  "no-backup": (_line, _global, at) => ({ backup: { value: false, at } }),
  disabled: (_line, _global, at) => ({ disabled: { value: true, at } }),
  enabled: (_line, _global, at) => ({ disabled: { value: false, at } }),
  maxconn: (line) => {
    const limit = readInteger(line, "maxconn");
    // 0 is HAProxy's word for no limit.
    return { connectionsMax: limit?.value === 0 ? undefined : limit };
  },
};

/**
 * Of no effect that anybody would miss: numbers for other tools; connections that HAProxy keeps for later clients (a
 * lane's is its own); names are resolved at the start and again, and a failure never keeps the gate from starting.
 */
const QUIET: ReadonlySet<string> = new Set(
  `id guid tfo no-tfo stick non-stick max-reuse pool-low-conn pool-max-conn pool-purge-delay init-addr ssl-reuse no-ssl-reuse
  tls-tickets no-tls-tickets no-send-proxy no-send-proxy-v2 no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn no-agent-check
  no-check-send-proxy no-sni-auto no-check-sni-auto check-alpn no-renegotiate`.split(/\s+/),
);

const HINTS: Readonly<Record<string, string>> = {
  resolvers: "names are looked up again by themselves; leave it out",
  "sni-auto": 'write "sni ssl_fc_sni"',
  "init-state": "a server is up until its first check fails; leave it out",
};

function readHost(line: Line, what: string): Located<string> | undefined {
  const word = line.expect(what);
  if (word === undefined) return undefined;
  if (isIP(word.value) !== 0) return word;
  if (isHostName(word.value)) return { value: normalServerName(word.value), at: word.at };
  line.problems.error(word.at, `"${word.value}" is neither a host name nor an address`);
  return undefined;
}

function readCa(line: Line, global: Global): ServerParams["ca"] {
  const path = line.expect("the path of the CA file", "ca-file /path/to/ca.pem, or ca-file @system-ca");
  if (path === undefined) return undefined;
  if (path.value === "@system-ca") return { value: { kind: "system" }, at: path.at };
  if (path.value.startsWith("@")) {
    line.problems.error(path.at, `unknown store "${path.value}"`, 'did you mean "@system-ca"?');
    return undefined;
  }
  return { value: { kind: "file", path: based(path, global.caBase).path }, at: path.at };
}

/** `str(NAME)`, or the client's own server name; anything else would be read from a request (manual §5.2 `sni`). */
function readSni(line: Line): Located<ServerNameSource> | undefined {
  const word = line.expect("the server name to send", "sni str(NAME), or sni ssl_fc_sni");
  if (word === undefined) return undefined;
  const [expression, ...converters] = splitConverters(word.value);
  if (converters.every((converter) => converter === "lower")) {
    if (expression === "ssl_fc_sni" || expression === "req.ssl_sni" || expression === "req_ssl_sni") {
      return { value: { kind: "client" }, at: word.at };
    }
    const fixed = /^str\(\s*(.*?)\s*\)$/.exec(expression)?.[1]?.replace(/^(['"])(.*)\1$/, "$2");
    if (fixed !== undefined && isHostName(fixed)) {
      return { value: { kind: "fixed", name: normalServerName(fixed) }, at: word.at };
    }
    if (/^str\(/.test(expression)) {
      line.problems.error(word.at, `"${word.value}" names no host`, "sni str(kubernetes.example.com)");
      return undefined;
    }
  }
  if (FETCHES.has(expression.replace(/\(.*$/, ""))) {
    notYet(line.problems, word.at, `sni ${word.value}`, 'write "sni str(NAME)" or "sni ssl_fc_sni"');
  } else line.problems.error(word.at, `unknown sample "${word.value}"`, "sni str(NAME), or sni ssl_fc_sni");
  return undefined;
}

/** `ssl_fc_sni,lower`: a fetch and its converters; commas inside parentheses belong to the arguments. */
export function splitConverters(expression: string): readonly [string, ...string[]] {
  const parts = [""] as [string, ...string[]];
  let depth = 0;
  for (const character of expression) {
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}
