import type { Located } from "../../model/index.ts";
import { didYouMean } from "../../model/index.ts";
import { readHttpchk } from "./check.ts";
import { OPTIONS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import type { Place, ProxySettings } from "./settings.ts";
import type { Word } from "./words.ts";

/** `option NAME …`, `no option NAME`, `default option NAME` (manual §4.2); the keyword is already read. */
export function readOption(
  settings: ProxySettings,
  place: Place,
  turn: "on" | "no" | "default",
  line: Line,
): void {
  const option = line.expect("the name of the option");
  if (option === undefined) return;
  const places = OPTIONS.get(option.value);
  if (places === undefined) {
    line.rest();
    line.problems.error(
      option.at,
      `unknown option "${option.value}"`,
      didYouMean(option.value, OPTIONS.keys()),
    );
    return;
  }
  if (turn !== "on" && !places.includes("*") && option.value !== "forwardfor") {
    line.problems.error(
      option.at,
      `"${turn}" cannot stand before option ${option.value}`,
      "only options that are switches can be turned round",
    );
    return;
  }
  if (!places.includes(place)) {
    line.rest();
    const here = place === "F" ? "frontend" : "backend";
    line.problems.warning(option.at, `option ${option.value} has no effect in a ${here}`);
    return;
  }
  const value: Located<boolean> = { value: turn === "on", at: option.at };
  const read = UNDERSTOOD[option.value];
  if (read !== undefined) {
    read(settings, value, line, option);
    return;
  }
  if (turn !== "on" || QUIET.has(option.value)) return;
  const note = ACCEPTED[option.value];
  if (note !== undefined) {
    line.problems.warning(option.at, `option ${option.value} has no effect: ${note}`);
    return;
  }
  line.rest();
  notYet(line.problems, option.at, `option ${option.value}`, HINTS[option.value]);
}

type Reader = (settings: ProxySettings, value: Located<boolean>, line: Line, option: Word) => void;

const UNDERSTOOD: Readonly<Record<string, Reader>> = {
  httplog: (settings, { at }, line) => {
    if (line.peek()?.value === "clf") notYet(line.problems, line.next()!.at, "the format clf");
    settings.logFormat = { value: "httplog", at };
  },
  tcplog: (settings, { at }) => {
    settings.logFormat = { value: "tcplog", at };
  },
  dontlognull: (settings, value) => {
    settings.dontLogNull = value;
  },
  forwardfor: (settings, value, line) => {
    const parameter = line.peek();
    if (parameter !== undefined && value.value) {
      line.rest();
      notYet(
        line.problems,
        parameter.at,
        `"${parameter.value}" of option forwardfor`,
        'write "option forwardfor" alone',
      );
    }
    settings.forwardFor = value;
  },
  httpchk: (settings, _value, line, option) => readHttpchk(settings.check, option, line),
  "tcp-check": (settings, { at }) => {
    settings.check.kind = { value: "connect", at };
  },
  // A connection that could not be made is tried with another server each time.
  redispatch: (_settings, _value, line) => {
    line.next();
  },
  "http-restrict-req-hdr-names": (_settings, { at }, line) => {
    const how = line.oneOf("http-restrict-req-hdr-names", ["preserve", "delete", "reject"]);
    if (how !== undefined && how.value !== "preserve")
      notYet(line.problems, at, `option http-restrict-req-hdr-names ${how.value}`);
  },
};

/** What the gate does anyway, or what only concerns how HAProxy works inside. */
const QUIET: ReadonlySet<string> = new Set(
  `abortonclose clitcpka srvtcpka tcpka http-keep-alive http-no-delay http-pretend-keepalive idle-close-on-response
  independent-streams log-health-checks disable-h2-upgrade contstats socket-stats splice-auto splice-request splice-response
  tcp-smart-accept tcp-smart-connect prefer-last-server http-use-htx use-small-buffers`.split(/\s+/),
);

const OWN_CONNECTION = "a client's connection has one of its own upstream, which lives as long as it does";
const STRICT = "a message that breaks the rules of HTTP is always refused";
const SMUGGLED = "header names are passed on as they come";

/** Accepted, with what a person should know. */
const ACCEPTED: Readonly<Record<string, string>> = {
  "http-server-close": OWN_CONNECTION,
  httpclose: OWN_CONNECTION,
  "accept-invalid-http-request": STRICT,
  "accept-invalid-http-response": STRICT,
  "accept-unsafe-violations-in-http-request": STRICT,
  "accept-unsafe-violations-in-http-response": STRICT,
  "h1-case-adjust-bogus-client": SMUGGLED,
  "h1-case-adjust-bogus-server": SMUGGLED,
  "http-buffer-request": "requests are relayed as they arrive",
  "http-ignore-probes": "a client that leaves before its first byte is never answered",
  logasap: "a line is written when the answer is complete",
  "log-separate-errors": "errors are logged at the level of all lines",
  nolinger: "connections are closed in order",
  persist: "a server that is down gets no request",
};

const HINTS: Readonly<Record<string, string>> = {
  "ssl-hello-chk": 'write "check" and "ssl" on the server, which makes a real handshake',
  httpslog: 'write "option httplog"',
};
