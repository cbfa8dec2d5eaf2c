import { type Call, sendText } from "./call.ts";
import { badRequest } from "./errors.ts";
import { type KubeObject, textAt } from "./json.ts";
import type { LogLine, PodLog } from "./pod-log.ts";
import { containerOf } from "./pods.ts";

const textType = "text/plain";

/** `GET …/pods/NAME/log`: what was written, and with `follow` what comes (kubelet pkg/kubelet/server: PodLogOptions). */
export function serveLog(call: Call, pod: KubeObject, log: PodLog, onStream: (open: boolean) => void): void {
  const name = textAt(pod, "metadata", "name");
  const asked = call.query.get("container") ?? "";
  if (containerOf(pod, asked) === undefined)
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  if (isTrue(call.query.get("previous"))) {
    const container = containerOf(pod, asked);
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  }
  const withTime = isTrue(call.query.get("timestamps"));
  const past = chosenLines(log.lines, call.query).map((line) => lineText(line, withTime));
  if (!isTrue(call.query.get("follow"))) {
    sendText(call, 200, limited(past.join(""), call.query), textType);
    return;
  }
  followLog(call, past.join(""), log, withTime, onStream);
}

function followLog(
  call: Call,
  past: string,
  log: PodLog,
  withTime: boolean,
  onStream: (open: boolean) => void,
): void {
  const { response } = call;
  response.writeHead(200, { "content-type": textType, "cache-control": "no-cache, private" });
  response.flushHeaders();
  response.write(past);
  const unfollow = log.follow(
    (line) => response.write(lineText(line, withTime)),
    () => response.end(),
  );
  onStream(true);
  response.on("close", () => {
    unfollow();
    onStream(false);
  });
}

function chosenLines(lines: readonly LogLine[], query: URLSearchParams): readonly LogLine[] {
  const since = sinceTime(query);
  const tail = query.get("tailLines");
  const recent = lines.filter((line) => line.time.getTime() >= since);
  if (tail === null) return recent;
  return Number(tail) > 0 ? recent.slice(-Number(tail)) : [];
}

function sinceTime(query: URLSearchParams): number {
  const time = query.get("sinceTime");
  const seconds = query.get("sinceSeconds");
  if (time !== null) return Date.parse(time);
  return seconds === null ? 0 : Date.now() - Number(seconds) * 1000;
}

function limited(text: string, query: URLSearchParams): Buffer {
  const limit = query.get("limitBytes");
  const bytes = Buffer.from(text);
  return limit === null ? bytes : bytes.subarray(0, Number(limit));
}

function lineText(line: LogLine, withTime: boolean): string {
  // The kubelet writes nanoseconds.
  return withTime ? `${line.time.toISOString().replace("Z", "000000Z")} ${line.text}\n` : `${line.text}\n`;
}

export function isTrue(value: string | null): boolean {
  return value !== null && ["1", "t", "true"].includes(value.toLowerCase());
}
