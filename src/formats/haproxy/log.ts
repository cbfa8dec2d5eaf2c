import type { Located, LogLevel, LogTarget, Position } from "../../model/index.ts";
import { type Line, notYet } from "./line.ts";
import type { Word } from "./words.ts";

const FACILITIES = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "auth2",
  "ftp",
  "ntp",
  "audit",
  "alert",
  "cron2",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

const LEVELS = [
  "emerg",
  "alert",
  "crit",
  "err",
  "warning",
  "notice",
  "info",
  "debug",
] as const satisfies readonly LogLevel[];

const FORMATS = ["local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"] as const;

/** `log ADDRESS [len N] [format F] FACILITY [LEVEL [MIN]]`, HAProxy manual §4.2; the keyword is already read. */
export function readLogTarget(line: Line): Located<LogTarget> | undefined {
  const at = line.keyword.at;
  const address = line.expect(
    "the address of the log",
    'such as "log 127.0.0.1 local0" or "log stdout format raw local0"',
  );
  if (address === undefined) return undefined;
  const lengthMax = readLength(line);
  const format = readFormat(line);
  if (lengthMax === undefined || format === undefined) return undefined;
  if (line.peek()?.value === "sample") {
    notYet(line.problems, line.at, '"sample" of a log');
    return undefined;
  }
  const facility = line.oneOf("the facility of the log", FACILITIES, "such as local0, or daemon");
  if (facility === undefined) return undefined;
  const level = line.peek() === undefined ? undefined : line.oneOf("the level of the log", LEVELS);
  if (line.peek() !== undefined) {
    notYet(line.problems, line.at, "a lowest level of a log");
    return undefined;
  }
  const told = { facility: facility.value, level: level?.value ?? ("debug" as const) };
  if (address.value === "stdout" || address.value === "stderr") {
    const framing = format.value === "raw" ? "raw" : "syslog";
    return { value: { kind: address.value, framing, ...told }, at };
  }
  if (format.value !== "rfc3164" && format.value !== "default") {
    notYet(
      line.problems,
      format.at,
      `the log format "${format.value}" over the network`,
      'leave "format" out for rfc3164',
    );
    return undefined;
  }
  const udp = readUdp(line, address);
  return udp && { value: { kind: "udp", ...udp, ...told, lengthMax }, at };
}

/** HAProxy's default is 1024 bytes (`MAX_SYSLOG_LEN`). */
function readLength(line: Line): number | undefined {
  if (line.peek()?.value !== "len") return 1024;
  line.next();
  const word = line.expect("the length of log lines");
  if (word === undefined) return undefined;
  const length = Number(word.value);
  if (Number.isInteger(length) && length >= 80 && length <= 65_535) return length;
  line.problems.error(word.at, `the length of log lines must be between 80 and 65535, not "${word.value}"`);
  return undefined;
}

function readFormat(
  line: Line,
): { readonly value: (typeof FORMATS)[number] | "default"; readonly at: Position } | undefined {
  if (line.peek()?.value !== "format") return { value: "default", at: line.at };
  line.next();
  return line.oneOf("the format of the log", FORMATS);
}

/** `127.0.0.1`, `127.0.0.1:514`, `[::1]:514`, `udp@loghost:514`. */
function readUdp(
  line: Line,
  { value, at }: Word,
): { readonly host: string; readonly port: number } | undefined {
  if (value.startsWith("/") || /^(unix|abns|fd|ring|sockpair|tcp|tcp4|tcp6)@/.test(value)) {
    notYet(
      line.problems,
      at,
      `a log to ${value}`,
      'write "log 127.0.0.1:514 local0" or "log stdout format raw local0"',
    );
    return undefined;
  }
  const plain = value.replace(/^(udp|udp4|udp6|ipv4|ipv6)@/, "");
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d+))?$/.exec(plain);
  const host = found?.[1] ?? found?.[2] ?? "";
  const port = Number(found?.[3] ?? 514);
  if (host === "" || port < 1 || port > 65_535 || !/^[\w.:-]+$/.test(host)) {
    line.problems.error(
      at,
      `"${value}" is no address for a log`,
      "such as 127.0.0.1, 127.0.0.1:514, stdout or stderr",
    );
    return undefined;
  }
  return { host, port };
}
