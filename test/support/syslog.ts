import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A syslog server on a UDP port of its own, with everything it was ever sent. */
export interface Syslog {
  readonly port: number;
  /** Datagrams as they came. */
  readonly lines: readonly string[];
  /** Waits until a line has come that matches, from line `from` on. */
  until(pattern: RegExp, from?: number): Promise<string>;
  /** Waits until so many lines have come that match, from line `from` on. */
  take(pattern: RegExp, count: number, from?: number): Promise<readonly string[]>;
  close(): void;
}

const LIMIT_MS = 15_000;

export async function startSyslog(): Promise<Syslog> {
  const socket = createSocket("udp4");
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  socket.on("message", (message) => {
    lines.push(message.toString("latin1"));
    for (const look of [...watchers]) look();
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");

  function seen<T>(find: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(
          new Error(
            `${what} did not come within ${LIMIT_MS} ms; the last that did:\n${lines.slice(-20).join("")}`,
          ),
        );
      }, LIMIT_MS);
      watchers.add(look);
      look();
    });
  }

  return {
    port: socket.address().port,
    lines,
    until: (pattern, from = 0) =>
      seen(() => lines.slice(from).find((line) => pattern.test(line)), String(pattern)),
    take: (pattern, count, from = 0) =>
      seen(() => {
        const found = lines.slice(from).filter((line) => pattern.test(line));
        return found.length >= count ? found : undefined;
      }, `${count} times ${pattern}`),
    close: () => socket.close(),
  };
}
