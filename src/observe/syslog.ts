import type { LogLevel } from "../model/index.ts";
import { syslogDate } from "./dates.ts";

/** Severities of RFC 5424 §6.2.1: the smaller the number, the worse. */
export const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  emerg: 0,
  alert: 1,
  crit: 2,
  err: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** HAProxy's names in the order of their codes (manual §4.2 `log`). */
const FACILITIES: readonly string[] = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp"],
  ...["ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5"],
  ...["local6", "local7"],
];

/** What stands in front of a message, for one facility, tag and process. */
export type SyslogHeader = (level: LogLevel, nowMs: number) => string;

/**
 * `<PRI>Mmm dd hh:mm:ss TAG[PID]: ` as HAProxy sends it: RFC 3164 without the host name.
 * @param facility  one of HAProxy's names; an unknown one counts as `local0`
 */
export function syslogHeader(facility: string, tag: string, pid: number): SyslogHeader {
  const code = Math.max(FACILITIES.indexOf(facility), FACILITIES.includes(facility) ? 0 : 16);
  const from = ` ${tag}[${pid}]: `;
  return (level, nowMs) => `<${code * 8 + SEVERITIES[level]}>${syslogDate(nowMs)}${from}`;
}
