import { posix } from "node:path";
import type {
  BindTls,
  CertificateFile,
  DraftBind,
  FileReference,
  Located,
  Position,
} from "../../model/index.ts";
import { closest } from "../../model/index.ts";
import { readListenAddresses } from "./address.ts";
import type { Global } from "./global.ts";
import { BIND_PARAMS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import { readAlpn, readVersionWord, type VersionLimits } from "./tls.ts";
import { readInteger } from "./units.ts";
import type { Word } from "./words.ts";

/** What the parameters of one `bind` line say, for each of its addresses. */
interface Params extends VersionLimits {
  ssl?: Position;
  certificates: CertificateFile[];
  strictSni?: Located<boolean>;
  alpn?: Located<readonly string[]>;
  ciphers?: Located<string>;
  cipherSuites?: Located<string>;
  curves?: Located<string>;
  clientAuth?: Located<BindTls["clientAuth"]>;
  clientCa?: FileReference;
  tickets?: Located<boolean>;
  name?: Located<string>;
  connectionsMax?: Located<number>;
  backlog?: Located<number>;
  v6only?: boolean;
  /** The first word that only means something with `ssl`. */
  tlsWord?: Word;
}

/** `bind ADDRESS[,ADDRESS] [param...]` (manual §5.1); the keyword is already read. */
export function readBind(line: Line, global: Global): readonly DraftBind[] {
  const errorsBefore = line.problems.errors;
  const address = line.expect("the address to listen on", "such as :6443, 127.0.0.1:6443 or [::]:6443 v4v6");
  if (address === undefined) return [];
  const addresses = readListenAddresses(line, address);
  const params: Params = { certificates: [] };
  for (let word = line.next(); word !== undefined; word = line.next()) readParam(params, word, line, global);
  if (params.ssl === undefined && params.tlsWord !== undefined) refusePlain(params.tlsWord, address, line);
  const complete = line.problems.errors === errorsBefore;
  return addresses.map(({ written, address: listen }) => ({
    at: address.at,
    written,
    complete,
    address:
      listen.kind === "tcp" && listen.host.includes(":") && params.v6only !== undefined
        ? { ...listen, v6only: params.v6only }
        : listen,
    ...(params.ssl && { tls: draftTls(params, params.ssl, global) }),
    ...(params.name && { name: params.name }),
    ...(params.connectionsMax && { connectionsMax: params.connectionsMax }),
    ...(params.backlog && { backlog: params.backlog }),
  }));
}

/** HAProxy takes such a line without a word and serves plain text on it. */
function refusePlain(word: Word, address: Word, line: Line): void {
  line.problems.error(
    word.at,
    `bind ${address.value} has "${word.value}" but no "ssl": HAProxy would take plain text there without a word`,
    `write "bind ${address.value} ssl ${word.value} …", or remove "${word.value}"`,
  );
}

function draftTls(params: Params, at: Position, global: Global): DraftBind["tls"] {
  const minVersion = params.minVersion ?? global.bind.minVersion;
  const maxVersion = params.maxVersion ?? global.bind.maxVersion;
  const ciphers = params.ciphers ?? global.bind.ciphers;
  const cipherSuites = params.cipherSuites ?? global.bind.cipherSuites;
  const curves = params.curves ?? global.bind.curves;
  const tickets = params.tickets ?? global.bind.tickets;
  return {
    at,
    certificates: params.certificates,
    ...(params.strictSni && { strictSni: params.strictSni }),
    ...(params.alpn && { alpn: params.alpn }),
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    ...(ciphers && { ciphers }),
    ...(cipherSuites && { cipherSuites }),
    ...(curves && { curves }),
    ...(params.clientAuth && { clientAuth: params.clientAuth }),
    ...(params.clientCa && { clientCa: params.clientCa }),
    ...(tickets && { tickets }),
  };
}

function readParam(params: Params, word: Word, line: Line, global: Global): void {
  const { value, at } = word;
  if (TLS_WORDS.test(value)) params.tlsWord ??= word;
  if (readVersionWord(params, word, line)) return;
  switch (value) {
    case "ssl":
      params.ssl = at;
      return;
    case "crt": {
      const path = line.expect("the path of the certificate", "crt /path/to/bundle.pem");
      if (path !== undefined) params.certificates.push(based(path, global.crtBase));
      return;
    }
    case "ca-file": {
      const path = line.expect("the path of the CA file", "ca-file /path/to/ca.pem");
      if (path === undefined) return;
      if (path.value.startsWith("@")) notYet(line.problems, path.at, `${path.value} on a bind`);
      else params.clientCa = based(path, global.caBase);
      return;
    }
    case "verify": {
      const verify = line.oneOf("verify", ["none", "optional", "required"]);
      if (verify !== undefined) params.clientAuth = verify;
      return;
    }
    case "alpn": {
      const alpn = readAlpn(line);
      if (alpn !== undefined) params.alpn = alpn;
      return;
    }
    case "no-alpn":
      params.alpn = { value: [], at };
      return;
    case "strict-sni":
      params.strictSni = { value: true, at };
      return;
    case "no-strict-sni":
      params.strictSni = { value: false, at };
      return;
    case "no-tls-tickets":
    case "tls-tickets":
      params.tickets = { value: value === "tls-tickets", at };
      return;
    case "ciphers":
      assignText(params, "ciphers", line);
      return;
    case "ciphersuites":
      assignText(params, "cipherSuites", line);
      return;
    case "curves":
    case "ecdhe":
      assignText(params, "curves", line);
      return;
    case "name":
      assignText(params, "name", line);
      return;
    case "maxconn": {
      const limit = readInteger(line, "maxconn");
      if (limit !== undefined && limit.value > 0) params.connectionsMax = limit;
      return;
    }
    case "backlog": {
      const backlog = readInteger(line, "backlog");
      if (backlog !== undefined && backlog.value > 0) params.backlog = backlog;
      return;
    }
    case "v4v6":
    case "v6only":
      params.v6only = value === "v6only";
      return;
    default:
      // Taken for what was meant, so that the words that need it are not complained of as well.
      if (readOther(word, line) === "ssl") params.ssl = word.at;
  }
}

function assignText(params: Params, key: "ciphers" | "cipherSuites" | "curves" | "name", line: Line): void {
  const word = line.expect(`what "${key.toLowerCase()}" is to be`);
  if (word !== undefined) params[key] = word;
}

const TLS_WORDS =
  /^(crt|ca-file|verify|alpn|no-alpn|strict-sni|ciphers|ciphersuites|curves|ecdhe|ssl-(min|max)-ver|(force|no)-(sslv3|tlsv1[0-3])|(no-)?tls-tickets)$/;

/** Parameters without effect that anybody would miss: numbers for other tools, and tuning of HAProxy's own sockets. */
const QUIET: ReadonlySet<string> = new Set([
  "id",
  "nice",
  "process",
  "thread",
  "shards",
  "prefer-client-ciphers",
  "tfo",
  "defer-accept",
  "severity-output",
]);

/** @returns what an unknown word was probably meant to be */
function readOther({ value, at }: Word, line: Line): string | undefined {
  const count = BIND_PARAMS.get(value);
  if (count === undefined) {
    const meant = closest(value, BIND_PARAMS.keys());
    line.problems.error(at, `unknown parameter "${value}" of bind`, meant && `did you mean "${meant}"?`);
    line.skip(meant === undefined ? 0 : (BIND_PARAMS.get(meant) ?? 0));
    return meant;
  }
  line.skip(count);
  if (!QUIET.has(value)) notYet(line.problems, at, `"${value}" on a bind`);
  return undefined;
}

/** A relative path stands below `crt-base` or `ca-base`. */
export function based({ value, at }: Word, base: string | undefined): FileReference {
  const path = base === undefined || value.startsWith("/") ? value : posix.join(base, value);
  return { path, at };
}
