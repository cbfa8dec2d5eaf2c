import type { BackendTimeouts, DraftTimeouts, FrontendTimeouts, Located } from "../../model/index.ts";
import { didYouMean, type Problems } from "../../model/index.ts";
import { type Line, notYet } from "./line.ts";
import type { ReadProxy, Timeouts } from "./settings.ts";
import { readTimeMs } from "./units.ts";

/** HAProxy manual §4.2 `timeout …`; `F`rontends and `B`ackends are those that a timeout has an effect in. */
const TIMEOUTS: Readonly<Record<string, { readonly in: "F" | "B" | "FB"; readonly key?: keyof Timeouts }>> = {
  check: { in: "B", key: "checkMs" },
  client: { in: "F", key: "clientMs" },
  "client-fin": { in: "F", key: "clientFinMs" },
  "client-hs": { in: "F", key: "handshakeMs" },
  connect: { in: "B", key: "connectMs" },
  "http-keep-alive": { in: "FB", key: "httpKeepAliveMs" },
  "http-request": { in: "FB", key: "httpRequestMs" },
  queue: { in: "B", key: "queueMs" },
  server: { in: "B", key: "serverMs" },
  "server-fin": { in: "B", key: "serverFinMs" },
  // Nobody is held in a tarpit: `http-request tarpit` is refused.
  tarpit: { in: "FB" },
  tunnel: { in: "B", key: "tunnelMs" },
};

/** `timeout NAME TIME`; the keyword is already read. */
export function readTimeout(timeouts: Timeouts, place: "D" | "F" | "L" | "B", line: Line): void {
  const name = line.expect("the name of the timeout", "such as: timeout client 1h");
  if (name === undefined) return;
  const known = TIMEOUTS[name.value];
  if (known === undefined) {
    line.rest();
    line.problems.error(
      name.at,
      `unknown timeout "${name.value}"`,
      didYouMean(name.value, Object.keys(TIMEOUTS)),
    );
    return;
  }
  const time = readTimeMs(line, `timeout ${name.value}`);
  if (place !== "D" && place !== "L" && !known.in.includes(place)) {
    const here = place === "F" ? "frontend" : "backend";
    line.problems.warning(
      name.at,
      `"timeout ${name.value}" has no effect in a ${here}`,
      "move it to the other side, or to defaults",
    );
    return;
  }
  if (time !== undefined && known.key !== undefined) timeouts[known.key] = time;
}

/** `contimeout` and the like, from before 1.3. */
export function refuseOldTimeout(line: Line): void {
  const now = { clitimeout: "client", contimeout: "connect", srvtimeout: "server" }[line.keyword.value];
  line.rest();
  notYet(line.problems, line.keyword.at, `"${line.keyword.value}"`, `write "timeout ${now} …"`);
}

export function frontendTimeouts(timeouts: Timeouts): DraftTimeouts<FrontendTimeouts> {
  const { clientMs, httpRequestMs, httpKeepAliveMs, clientFinMs, handshakeMs } = timeouts;
  return present({ clientMs, httpRequestMs, httpKeepAliveMs, clientFinMs, handshakeMs });
}

export function backendTimeouts(timeouts: Timeouts): DraftTimeouts<BackendTimeouts> {
  const { connectMs, serverMs, serverFinMs, queueMs, tunnelMs, checkMs } = timeouts;
  return present({ connectMs, serverMs, serverFinMs, queueMs, tunnelMs, checkMs });
}

/** Leaves out what was not written. */
function present<T extends Record<string, Located<number> | undefined>>(timeouts: T): Partial<T> {
  const written: Partial<T> = {};
  for (const name in timeouts) if (timeouts[name] !== undefined) written[name] = timeouts[name];
  return written;
}

/** Streams that may live for hours outlive a reload of HAProxy, and their clients outlive nothing. */
const LONG_MS = 3_600_000;

/** What long timeouts bring about in HAProxy that nobody expects; told once, at the first of them. */
export function adviseOnLongTimeouts(
  proxies: readonly ReadProxy[],
  hasHardStop: boolean,
  problems: Problems,
): void {
  const all = proxies.map(({ settings }) => settings.timeouts);
  const long = all.flatMap(({ clientMs, serverMs, tunnelMs }) =>
    [clientMs, serverMs, tunnelMs].filter((time) => time !== undefined && time.value >= LONG_MS),
  );
  if (long[0] !== undefined && !hasHardStop) {
    problems.warning(
      long[0].at,
      "after each reload, HAProxy keeps the old process until its last stream ends, for as long as this",
      'add "hard-stop-after 10m" to the global section',
    );
  }
  const finished = proxies.every(({ place, settings }) => place === "B" || settings.timeouts.clientFinMs);
  const tunnel = all.find(({ tunnelMs }) => tunnelMs !== undefined && tunnelMs.value >= LONG_MS)?.tunnelMs;
  if (tunnel !== undefined && !finished) {
    problems.warning(
      tunnel.at,
      "HAProxy keeps an exec whose client has left for all of this time; Postern ends it after 10s",
      'add "timeout client-fin 10s" to have the same everywhere',
    );
  }
}
