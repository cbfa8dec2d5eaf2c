import assert from "node:assert/strict";

/** Of a log line what must be equal in two gates: no ports, no dates, no bytes; of times only whether they were reached. */
export type Fields = Readonly<Record<string, string>>;

const DATE = String.raw`\[\d\d\/\w{3}\/\d{4}(?::\d\d){3}\.\d{3}\]`;
/** A line about a request, a connection or a handshake; not one about a server. */
export const ANY_LINE = new RegExp(`: 127\\.0\\.0\\.1:\\d+ ${DATE} `);
const HTTPLOG = new RegExp(
  `^<(?<priority>\\d+)>\\w{3} [ \\d]\\d [\\d:]{8} (?<tag>\\w+)\\[\\d+\\]: 127\\.0\\.0\\.1:\\d+ ${DATE} ` +
    String.raw`(?<frontend>\S+) (?<backend>\S+)\/(?<server>\S+) (?<times>[-\d]+(?:\/[-\d]+){4}) (?<status>-?\d+) ` +
    String.raw`\d+ - - (?<state>\S{4}) (?<counts>\d+(?:\/\d+){3})\/(?<retries>\+?\d+) (?<queues>\d+\/\d+) ` +
    String.raw`"(?<request>.*)"\n$`,
);
const TCPLOG = new RegExp(
  `^<(?<priority>\\d+)>\\w{3} [ \\d]\\d [\\d:]{8} (?<tag>\\w+)\\[\\d+\\]: 127\\.0\\.0\\.1:\\d+ ${DATE} ` +
    String.raw`(?<frontend>\S+) (?<backend>\S+)\/(?<server>\S+) (?<times>[-\d]+(?:\/[-\d]+){2}) \d+ (?<state>\S{2}) ` +
    String.raw`(?<counts>\d+(?:\/\d+){3})\/(?<retries>\+?\d+) (?<queues>\d+\/\d+)\n$`,
);
const HANDSHAKE = new RegExp(
  `^<(?<priority>\\d+)>\\w{3} [ \\d]\\d [\\d:]{8} (?<tag>\\w+)\\[\\d+\\]: 127\\.0\\.0\\.1:\\d+ ${DATE} ` +
    String.raw`(?<bind>\S+): (?<sentence>.*)\n$`,
);

/** @throws AssertionError when it is no line of httplog, tcplog or a failed handshake */
export function fieldsOf(line: string): Fields {
  const groups = (HTTPLOG.exec(line) ?? TCPLOG.exec(line) ?? HANDSHAKE.exec(line))?.groups;
  assert.ok(groups, `this line has no form we know: ${line}`);
  const { times, ...fields } = groups;
  return { ...fields, ...(times !== undefined && { reached: times.replace(/(?<!-)\b\d+/g, "t") }) };
}
