import { type Backend, closest, didYouMean, type Located } from "../../model/index.ts";
import { readBind } from "./bind.ts";
import { readHttpCheck } from "./check.ts";
import type { Global } from "./global.ts";
import { PROXY_KEYWORDS, READ_SECTIONS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import { readLogTarget } from "./log.ts";
import { readOption } from "./options.ts";
import { readAcl, readTcpRequest, readUseBackend } from "./routing.ts";
import type { Section } from "./sections.ts";
import { readServer } from "./server.ts";
import { readParams } from "./server-params.ts";
import type { Place, ProxySettings, ReadProxy } from "./settings.ts";
import { readTimeout, refuseOldTimeout } from "./timeouts.ts";
import { readInteger } from "./units.ts";

/** Reads the lines of a proxy, or of a `defaults` section, on top of what it inherits. */
export function readProxy(
  section: Section,
  name: Located<string>,
  inherited: ProxySettings,
  global: Global,
): ReadProxy {
  const { problems } = section.header;
  const proxy: ReadProxy = {
    place: PLACES[section.kind],
    name,
    complete: inherited.incomplete !== true,
    settings: {
      ...inherited,
      timeouts: { ...inherited.timeouts },
      server: { ...inherited.server },
      check: { ...inherited.check },
    },
    binds: [],
    acls: new Map(),
    routes: [],
    servers: [],
    waitsForHello: false,
  };
  for (const line of section.lines) {
    const errorsBefore = problems.errors;
    readLine(proxy, line, global);
    if (problems.errors > errorsBefore) {
      proxy.complete = false;
      proxy.settings.incomplete = true;
    }
  }
  return proxy;
}

/** Keywords whose second word says what they are about. */
const FAMILIES: ReadonlySet<string> = new Set(
  `capture compression declare email-alert external-check http-after-response http-request http-response persist stats stick
  tcp-check tcp-response`.split(/\s+/),
);

const PLACES = {
  global: "D",
  defaults: "D",
  frontend: "F",
  listen: "L",
  backend: "B",
} as const satisfies Record<string, Place>;

function readLine(proxy: ReadProxy, line: Line, global: Global): void {
  const { value, at } = line.keyword;
  if (value === "no" || value === "default") {
    readTurned(proxy, value, line);
    return;
  }
  const places = PROXY_KEYWORDS.get(value);
  if (places === undefined) {
    const known = [...PROXY_KEYWORDS.keys(), ...READ_SECTIONS];
    line.problems.error(
      at,
      `unknown keyword "${value}" in a ${sectionName(proxy.place)}`,
      didYouMean(value, known),
    );
    return;
  }
  if (!places.includes(proxy.place)) {
    readMisplaced(proxy, places, line);
    return;
  }
  const read = UNDERSTOOD[value];
  if (read !== undefined) {
    const errorsBefore = line.problems.errors;
    read(proxy, line, global);
    if (line.problems.errors === errorsBefore) line.done();
    return;
  }
  if (QUIET.has(value)) return;
  const note = ACCEPTED[value];
  if (note !== undefined) line.problems.warning(at, `"${value}" has no effect: ${note}`);
  else {
    const family = FAMILIES.has(value) ? line.peek()?.value : undefined;
    notYet(line.problems, at, family === undefined ? `"${value}"` : `"${value} ${family}"`);
  }
}

/** Some lines are merely without effect in the wrong section; others show that another section was meant. */
function readMisplaced(proxy: ReadProxy, places: string, line: Line): void {
  const { value, at } = line.keyword;
  const here = sectionName(proxy.place);
  if (places.includes("d") && proxy.place === "D") {
    notYet(line.problems, at, `"${value}" in a defaults section`, "write it into the frontends or backends");
    return;
  }
  const hint = `it belongs into ${namesOf(places)}`;
  const matters = ["bind", "server", "use_backend", "default_backend"].includes(value) || proxy.place === "D";
  if (matters) line.problems.error(at, `"${value}" cannot stand in a ${here}`, hint);
  else line.problems.warning(at, `"${value}" has no effect in a ${here}`, hint);
}

function namesOf(places: string): string {
  const names = { D: "defaults", F: "a frontend", L: "a listen section", B: "a backend" };
  const fitting = Object.entries(names).filter(([place]) => places.includes(place));
  return fitting
    .map(([, name]) => name)
    .join(", ")
    .replace(/, ([^,]*)$/, " or $1");
}

function sectionName(place: Place): string {
  return { D: "defaults section", F: "frontend", L: "listen section", B: "backend" }[place];
}

/** `no log`, `no option X`, `default option X`; nothing else can be turned round (manual §4.1). */
function readTurned(proxy: ReadProxy, turn: "no" | "default", line: Line): void {
  const what = line.expect(`what "${turn}" turns round`);
  if (what === undefined) return;
  if (what.value === "option") readOption(proxy.settings, proxy.place, turn, line);
  else if (what.value === "log" && turn === "no") {
    proxy.settings.logs = [];
    line.done();
  } else {
    line.problems.error(
      what.at,
      `"${turn}" cannot stand before "${what.value}"`,
      `only "${turn} option …" and "no log"`,
    );
  }
}

const MODES = ["http", "tcp"] as const;

type Reader = (proxy: ReadProxy, line: Line, global: Global) => void;

const UNDERSTOOD: Readonly<Record<string, Reader>> = {
  mode: ({ settings }, line) => {
    const word = line.expect("the mode", "mode http, or mode tcp");
    if (word === undefined) return;
    if (word.value === "health" || word.value === "log") {
      notYet(line.problems, word.at, `mode ${word.value}`);
      return;
    }
    const mode = MODES.find((known) => known === word.value);
    const meant = mode ?? MODES.find((known) => known === closest(word.value, MODES));
    if (mode === undefined) {
      const hint = meant === undefined ? "http or tcp" : `did you mean "${meant}"?`;
      line.problems.error(word.at, `unknown mode "${word.value}"`, hint);
    }
    // What was meant is taken, so that the wrong mode does not make other lines look wrong.
    if (meant !== undefined) settings.mode = { value: meant, at: word.at };
  },
  log: ({ settings }, line) => {
    if (line.peek()?.value === "global") {
      line.next();
      settings.logs = [...settings.logs.filter((log) => log !== "global"), "global"];
      return;
    }
    const target = readLogTarget(line);
    if (target !== undefined) settings.logs = [...settings.logs, target];
  },
  option: ({ settings, place }, line) => readOption(settings, place, "on", line),
  timeout: ({ settings, place }, line) => readTimeout(settings.timeouts, place, line),
  clitimeout: (_proxy, line) => refuseOldTimeout(line),
  contimeout: (_proxy, line) => refuseOldTimeout(line),
  srvtimeout: (_proxy, line) => refuseOldTimeout(line),
  bind: ({ binds }, line, global) => {
    binds.push(...readBind(line, global));
  },
  acl: (proxy, line) => readAcl(proxy, line),
  use_backend: (proxy, line) => readUseBackend(proxy, line),
  default_backend: ({ settings }, line) => {
    const name = line.expect("the name of the backend", "default_backend NAME");
    if (name !== undefined) settings.defaultBackend = name;
  },
  balance: ({ settings }, line) => readBalance(settings, line),
  server: ({ settings, servers }, line, global) => {
    const server = readServer(line, settings.server, global);
    if (server !== undefined) servers.push(server);
  },
  "default-server": ({ settings }, line, global) => {
    settings.server = readParams(line, settings.server, global);
  },
  maxconn: ({ settings }, line) => {
    const limit = readInteger(line, "maxconn");
    if (limit !== undefined) settings.connectionsMax = limit.value > 0 ? limit : undefined;
  },
  backlog: ({ settings }, line) => {
    const backlog = readInteger(line, "backlog");
    if (backlog !== undefined) settings.backlog = backlog.value > 0 ? backlog : undefined;
  },
  retries: ({ settings }, line) => {
    const retries = readInteger(line, "retries", { max: 100 });
    if (retries !== undefined) settings.retries = retries;
  },
  "retry-on": (_proxy, line) => {
    for (const word of line.rest()) {
      if (word.value === "conn-failure") continue;
      notYet(
        line.problems,
        word.at,
        `"retry-on ${word.value}"`,
        "a request that was never sent is repeated anyway",
      );
    }
  },
  "http-reuse": (_proxy, line) => {
    const how = line.oneOf("http-reuse", ["never", "safe", "aggressive", "always"]);
    if (how === undefined || how.value === "never") return;
    line.problems.warning(
      how.at,
      `"http-reuse ${how.value}" has no effect: two clients never share a connection to a server`,
    );
  },
  "http-check": ({ settings }, line) => readHttpCheck(settings.check, line),
  "tcp-request": (proxy, line) => readTcpRequest(proxy, line),
  errorfile: ({ settings }, line) => {
    const code = readInteger(line, "the status", { min: 200, max: 599 });
    const path = line.expect("the path of the answer", "errorfile 503 /path/to/503.http");
    if (code === undefined || path === undefined) return;
    if (settings.errorFile !== undefined) return;
    settings.errorFile = line.keyword.at;
    line.problems.warning(
      line.keyword.at,
      '"errorfile" is not sent yet; it makes the gate\'s own answers plain text instead of the Kubernetes Status that kubectl understands',
      "remove it in front of a Kubernetes API",
    );
  },
};

const QUIET: ReadonlySet<string> = new Set([
  "description",
  "id",
  "guid",
  "enabled",
  "fullconn",
  "max-keep-alive-queue",
]);

const KEEP_ALIVE = "TCP keep-alive is always on, for both sides";

/** Accepted, with what a person should know. */
const ACCEPTED: Readonly<Record<string, string>> = {
  "clitcpka-cnt": KEEP_ALIVE,
  "clitcpka-idle": KEEP_ALIVE,
  "clitcpka-intvl": KEEP_ALIVE,
  "srvtcpka-cnt": KEEP_ALIVE,
  "srvtcpka-idle": KEEP_ALIVE,
  "srvtcpka-intvl": KEEP_ALIVE,
  "hash-type": 'servers are chosen as "balance" says, without a table of hashes',
  "bind-process": "the number of processes is given by --workers",
  "load-server-state-from-file": "servers are checked anew at each start",
  "server-state-file-name": "servers are checked anew at each start",
};

function readBalance(settings: ProxySettings, line: Line): void {
  const word = line.expect("how to choose a server", "balance leastconn, or balance roundrobin");
  if (word === undefined) return;
  const name = word.value.replace(/\(.*$/, "");
  const known = BALANCE[name];
  if (known !== undefined) {
    settings.balance = { value: known, at: word.at };
    return;
  }
  line.rest();
  if (["uri", "url_param", "hdr", "rdp-cookie", "hash", "sticky"].includes(name)) {
    notYet(
      line.problems,
      word.at,
      `balance ${word.value}`,
      "choose leastconn, roundrobin, first, source or random",
    );
  } else
    line.problems.error(
      word.at,
      `unknown balance "${word.value}"`,
      didYouMean(name, Object.keys(BALANCE)) ?? "leastconn, roundrobin, first, source or random",
    );
}

const BALANCE: Readonly<Record<string, Backend["balance"]>> = {
  roundrobin: "roundrobin",
  // Without weights that change while it runs, the two are one.
  "static-rr": "roundrobin",
  leastconn: "leastconn",
  first: "first",
  source: "source",
  random: "random",
};
