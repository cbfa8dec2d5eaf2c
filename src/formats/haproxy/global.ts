import type { DraftGlobal, Located, LogTarget, Problems } from "../../model/index.ts";
import { didYouMean } from "../../model/index.ts";
import { GLOBAL_KEYWORDS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import { readLogTarget } from "./log.ts";
import type { Section } from "./sections.ts";
import { readVersionWord, type VersionLimits } from "./tls.ts";
import { readInteger, readSize, readTimeMs } from "./units.ts";

/** What the global sections say, for those who read the rest of the file. */
export interface Global {
  logTag?: Located<string>;
  connectionsMax?: Located<number>;
  debug?: Located<boolean>;
  hardStopAfterMs?: Located<number>;
  logs: Located<LogTarget>[];
  caBase?: string;
  crtBase?: string;
  bufsize?: Located<number>;
  maxRewrite?: Located<number>;
  bind: TlsDefaults;
  server: TlsDefaults;
  serverVerify?: Located<"none" | "required">;
}

/** `ssl-default-bind-*` and `ssl-default-server-*`. */
export interface TlsDefaults extends VersionLimits {
  ciphers?: Located<string>;
  cipherSuites?: Located<string>;
  curves?: Located<string>;
  tickets?: Located<boolean>;
}

/** Several global sections add up (manual §3). */
export function readGlobal(sections: readonly Section[], problems: Problems): Global {
  const global: Global = { logs: [], bind: {}, server: {} };
  for (const section of sections) {
    section.header.done();
    for (const line of section.lines) readLine(global, line, problems);
  }
  return global;
}

export function draftGlobal(global: Global): DraftGlobal {
  const { logTag, connectionsMax, debug, hardStopAfterMs } = global;
  return {
    ...(logTag && { logTag }),
    ...(connectionsMax && { connectionsMax }),
    ...(debug && { debug }),
    ...(hardStopAfterMs && { hardStopAfterMs }),
  };
}

/** What HAProxy keeps free of a request head: tune.bufsize − tune.maxrewrite. Undefined unless the file says so. */
export function headBytesMax(global: Global): Located<number> | undefined {
  if (global.bufsize === undefined) return undefined;
  const value = Math.max(1024, global.bufsize.value - (global.maxRewrite?.value ?? 1024));
  return { value, at: global.bufsize.at };
}

function readLine(global: Global, line: Line, problems: Problems): void {
  const { value, at } = line.keyword;
  const read = UNDERSTOOD[value];
  const errorsBefore = problems.errors;
  if (read !== undefined) {
    read(global, line);
    if (problems.errors === errorsBefore) line.done();
    return;
  }
  if (QUIET.has(value)) return;
  const note = ACCEPTED[value];
  if (note !== undefined) {
    problems.warning(at, `"${value}" ${note}`);
    return;
  }
  if (value.startsWith("tune.") && GLOBAL_KEYWORDS.has(value)) {
    problems.warning(at, `"${value}" tunes HAProxy's own workings and has no effect here`);
    return;
  }
  if (value === "no" || value === "default") {
    readToggled(line, problems);
    return;
  }
  if (GLOBAL_KEYWORDS.has(value)) notYet(problems, at, `"${value}" in a global section`);
  else
    problems.error(at, `unknown keyword "${value}" in a global section`, didYouMean(value, GLOBAL_KEYWORDS));
}

/** `no busy-polling` and the like: switches of HAProxy's own process. */
function readToggled(line: Line, problems: Problems): void {
  const word = line.expect(`what "${line.keyword.value}" is about`);
  if (word === undefined || TOGGLES.has(word.value)) return;
  problems.error(word.at, `"${line.keyword.value}" cannot stand before "${word.value}" in a global section`);
}

const TOGGLES = new Set([
  "busy-polling",
  "set-dumpable",
  "strict-limits",
  "insecure-fork-wanted",
  "numa-cpu-mapping",
]);

type Reader = (global: Global, line: Line) => void;

const UNDERSTOOD: Readonly<Record<string, Reader>> = {
  log: (global, line) => {
    const target = readLogTarget(line);
    if (target !== undefined) global.logs.push(target);
  },
  "log-tag": (global, line) => {
    const word = line.expect("the tag of log lines");
    if (word !== undefined) global.logTag = word;
  },
  maxconn: (global, line) => {
    const limit = readInteger(line, "maxconn");
    if (limit !== undefined && limit.value > 0) global.connectionsMax = limit;
  },
  debug: (global, line) => {
    global.debug = { value: true, at: line.keyword.at };
    line.problems.warning(
      line.keyword.at,
      '"debug" was removed in HAProxy 2.3, which does not start with it; before, it wrote every header, bearer tokens included, to the output',
      "remove it; until then Postern shows request heads without tokens and cookies",
    );
  },
  "hard-stop-after": (global, line) => {
    const time = readTimeMs(line, "hard-stop-after", 1);
    if (time !== undefined) global.hardStopAfterMs = time;
  },
  "ca-base": (global, line) => {
    const word = line.expect("the folder of CA files");
    if (word !== undefined) global.caBase = word.value;
  },
  "crt-base": (global, line) => {
    const word = line.expect("the folder of certificates");
    if (word !== undefined) global.crtBase = word.value;
  },
  "tune.bufsize": (global, line) => {
    const size = readSize(line, "tune.bufsize", 1024);
    if (size !== undefined) global.bufsize = size;
  },
  "tune.maxrewrite": (global, line) => {
    const size = readSize(line, "tune.maxrewrite", 0);
    if (size !== undefined) global.maxRewrite = size;
  },
  // No cipher with ephemeral Diffie-Hellman over integers is offered, so that its parameters' size is never used.
  "tune.ssl.default-dh-param": (_global, line) => {
    readInteger(line, "tune.ssl.default-dh-param", { min: 1024 });
  },
  "ssl-server-verify": (global, line) => {
    const verify = line.oneOf("ssl-server-verify", ["none", "required"]);
    if (verify !== undefined) global.serverVerify = verify;
  },
  "ssl-default-bind-ciphers": (global, line) => readText(global.bind, "ciphers", line),
  "ssl-default-bind-ciphersuites": (global, line) => readText(global.bind, "cipherSuites", line),
  "ssl-default-bind-curves": (global, line) => readText(global.bind, "curves", line),
  "ssl-default-bind-options": (global, line) => readOptions(global.bind, line),
  "ssl-default-server-ciphers": (global, line) => readText(global.server, "ciphers", line),
  "ssl-default-server-ciphersuites": (global, line) => readText(global.server, "cipherSuites", line),
  "ssl-default-server-options": (global, line) => readOptions(global.server, line),
};

function readText(defaults: TlsDefaults, key: "ciphers" | "cipherSuites" | "curves", line: Line): void {
  const word = line.expect("the list");
  if (word !== undefined) defaults[key] = word;
}

function readOptions(defaults: TlsDefaults, line: Line): void {
  for (let word = line.next(); word !== undefined; word = line.next()) {
    if (readVersionWord(defaults, word, line)) continue;
    if (word.value === "no-tls-tickets") defaults.tickets = { value: false, at: word.at };
    else if (word.value === "tls-tickets") defaults.tickets = { value: true, at: word.at };
    else if (!QUIET_TLS.has(word.value)) {
      line.problems.error(
        word.at,
        `unknown option "${word.value}" of ${line.keyword.value}`,
        didYouMean(word.value, ["ssl-min-ver", "ssl-max-ver", "no-tls-tickets", "prefer-client-ciphers"]),
      );
    }
  }
}

const QUIET_TLS = new Set(["prefer-client-ciphers", "ssl-reuse", "no-ssl-reuse"]);

/** Of no effect that anybody would miss. */
const QUIET = new Set(
  `quiet description node localpeer set-dumpable strict-limits numa-cpu-mapping insecure-fork-wanted insecure-setuid-wanted
  expose-experimental-directives expose-deprecated-directives no-memory-trimming noepoll noevports nokqueue nopoll nosplice
  noreuseport nogetaddrinfo busy-polling ssl-load-extra-files ssl-load-extra-del-ext ssl-skip-self-issued-ca
  ssl-mode-async profiling.tasks profiling.memory prealloc-fd`.split(/\s+/),
);

/** Accepted, with what a person should know. */
const ACCEPTED: Readonly<Record<string, string>> = {
  nbproc: "has no effect: the number of processes is given by --workers",
  nbthread: "has no effect: the number of processes is given by --workers",
  "thread-groups": "has no effect: the number of processes is given by --workers",
  "thread-group": "has no effect: the number of processes is given by --workers",
  "cpu-map": "has no effect: the number of processes is given by --workers",
  "master-worker": "has no effect: reload with SIGHUP, end with SIGTERM",
  daemon: "has no effect: Postern stays in the foreground; let systemd or the platform run it",
  pidfile: "has no effect: no file with the process id is written",
  user: "has no effect: Postern never changes its user; start it as the one you want",
  group: "has no effect: Postern never changes its group; start it as the one you want",
  uid: "has no effect: Postern never changes its user; start it as the one you want",
  gid: "has no effect: Postern never changes its group; start it as the one you want",
  chroot: "has no effect: Postern stays where it was started; let systemd or the platform confine it",
  stats: "has no effect: there is no admin socket of HAProxy's kind",
  "ulimit-n": "has no effect: set the limit of open files where Postern is started",
  "fd-hard-limit": "has no effect: set the limit of open files where Postern is started",
  "log-send-hostname": "has no effect: syslog lines carry no host name",
  "max-spread-checks": "has no effect: first checks are spread over their interval",
  "spread-checks": "has no effect: first checks are spread over their interval",
  "ssl-dh-param-file": "has no effect: ephemeral Diffie-Hellman is done over elliptic curves only",
  "zero-warning": "has no effect: a warning never keeps Postern from starting",
  "server-state-file": "has no effect: servers are checked anew at each start",
  "server-state-base": "has no effect: servers are checked anew at each start",
  "mworker-max-reloads": "has no effect: lanes of before a reload end as their timeouts say",
};
