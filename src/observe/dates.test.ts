import assert from "node:assert/strict";
import { test } from "node:test";
import { isoDate, logDate, syslogDate } from "./dates.ts";
import { type SEVERITIES, syslogHeader } from "./syslog.ts";

process.env.TZ = "Europe/Berlin";

const DATES: readonly (readonly [ms: number, log: string, syslog: string, iso: string])[] = [
  [1_795_568_613_936, "25/Nov/2026:02:03:33.936", "Nov 25 02:03:33", "2026-11-25T01:03:33.936Z"],
  [1_795_568_613_936.9, "25/Nov/2026:02:03:33.936", "Nov 25 02:03:33", "2026-11-25T01:03:33.936Z"],
  [1_795_568_614_000, "25/Nov/2026:02:03:34.000", "Nov 25 02:03:34", "2026-11-25T01:03:34.000Z"],
  [1_796_079_600_007, "01/Dec/2026:00:00:00.007", "Dec  1 00:00:00", "2026-11-30T23:00:00.007Z"],
  [1_782_864_000_999, "01/Jul/2026:02:00:00.999", "Jul  1 02:00:00", "2026-07-01T00:00:00.999Z"],
];

for (const [ms, log, syslog, iso] of DATES) {
  test(`${ms} is ${log} in Berlin`, () => {
    for (let round = 0; round < 2; round++) {
      assert.equal(logDate(ms), log);
      assert.equal(syslogDate(ms), syslog);
      assert.equal(isoDate(ms), iso);
    }
  });
}

const PRIORITIES: readonly (readonly [facility: string, level: keyof typeof SEVERITIES, priority: number])[] =
  [
    ["kern", "emerg", 0],
    ["daemon", "alert", 25],
    ["local0", "info", 134],
    ["local7", "debug", 191],
    ["nonsense", "info", 134],
  ];

for (const [facility, level, priority] of PRIORITIES) {
  test(`${facility}.${level} is <${priority}>`, () => {
    const header = syslogHeader(facility, "haproxy", 4711);
    assert.equal(header(level, 1_796_079_600_007), `<${priority}>Dec  1 00:00:00 haproxy[4711]: `);
  });
}
