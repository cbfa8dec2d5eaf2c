import { isIP } from "node:net";
import type { ListenAddress } from "../../model/index.ts";
import { type Line, notYet } from "./line.ts";
import type { Word } from "./words.ts";

/** What stands for an address in a haproxy.cfg (manual §11, `str2sa_range()` in src/tools.c). */
interface Parts {
  readonly host: string;
  /** Text behind the last colon; undefined: there was none. */
  readonly port: string | undefined;
}

/** `:6443`, `*:6443`, `127.0.0.1:6443`, `[::]:6443`, `:::6443`, `unix@/p`, `/p`; several separated by commas. */
export function readListenAddresses(
  line: Line,
  word: Word,
): readonly { written: string; address: ListenAddress }[] {
  return word.value.split(",").flatMap((written) => {
    const address = listenAddress(line, { value: written, at: word.at });
    return address === undefined ? [] : [{ written, address }];
  });
}

function listenAddress(line: Line, word: Word): ListenAddress | undefined {
  const { value, at } = word;
  if (value.startsWith("/") || value.startsWith("unix@")) {
    return { kind: "unix", path: value.replace(/^unix@/, "") };
  }
  const family = /^([a-z0-9+]+)@/.exec(value)?.[1];
  if (family !== undefined && family !== "ipv4" && family !== "ipv6") {
    notYet(line.problems, at, `a bind to ${family}@`);
    return undefined;
  }
  const { host, port } = split(value.slice(family === undefined ? 0 : family.length + 1));
  if (port === undefined || port === "") {
    line.problems.error(
      at,
      `bind "${value}" has no port`,
      `write ":${/^\d+$/.test(value) ? value : "6443"}" to listen on all addresses`,
    );
    return undefined;
  }
  if (port.includes("-")) {
    notYet(line.problems, at, "a bind to a range of ports", "write one bind for each port");
    return undefined;
  }
  const number = readPort(line, word, port);
  if (number === undefined) return undefined;
  if (host === "" || host === "*")
    return { kind: "tcp", host: family === "ipv6" ? "::" : "0.0.0.0", port: number };
  if (isIP(host) === 0 && !isHostName(host)) {
    line.problems.error(at, `"${host}" is neither an address nor a host name`);
    return undefined;
  }
  return { kind: "tcp", host, port: number };
}

/** `host:port` of a server; unlike HAProxy, a port must be there. */
export function readServerAddress(
  line: Line,
  word: Word,
): { readonly host: string; readonly port: number } | undefined {
  const { value, at } = word;
  const family = /^([a-z0-9+]+)@/.exec(value)?.[1];
  if (value.startsWith("/") || (family !== undefined && family !== "ipv4" && family !== "ipv6")) {
    notYet(line.problems, at, `a server at ${value}`, "write a host name or an IP address with a port");
    return undefined;
  }
  const { host, port } = split(value.slice(family === undefined ? 0 : family.length + 1));
  if (port === undefined || port === "") {
    line.problems.error(
      at,
      `server address "${value}" has no port`,
      `such as ${value}:6443 (HAProxy would take the port the client came to)`,
    );
    return undefined;
  }
  if (/^[+-]\d+$/.test(port)) {
    notYet(line.problems, at, "a port counted from the client's", "write the port itself");
    return undefined;
  }
  const number = readPort(line, word, port);
  if (number === undefined) return undefined;
  if (isIP(host) === 0 && !isHostName(host)) {
    const placeholder = /<[^>]*>/.exec(host)?.[0];
    const hint = placeholder === undefined ? undefined : `put the real name where ${placeholder} stands`;
    line.problems.error(at, `"${host}" is neither an address nor a host name`, hint);
    return undefined;
  }
  return { host, port: number };
}

function readPort(line: Line, { at }: Word, text: string): number | undefined {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  const hint = text.startsWith("$") ? "variables are replaced only inside double quotes" : undefined;
  line.problems.error(at, `"${text}" is not a port: an integer between 1 and 65535`, hint);
  return undefined;
}

/** The port stands behind the last colon; brackets around an IPv6 address may be left out. */
function split(value: string): Parts {
  const bracket = /^\[(.*)\](?::(.*))?$/.exec(value);
  if (bracket !== null) return { host: bracket[1]!, port: bracket[2] };
  const colon = value.lastIndexOf(":");
  return colon < 0
    ? { host: value, port: undefined }
    : { host: value.slice(0, colon), port: value.slice(colon + 1) };
}

/** RFC 1123 §2.1, and the underscore that names inside clusters have; all digits and dots is a mistyped IPv4 address. */
export function isHostName(host: string): boolean {
  return (
    host.length <= 254 &&
    /^[A-Za-z0-9_]([A-Za-z0-9_-]*\.?)*$/.test(host) &&
    !host.includes("..") &&
    !/^[\d.]+$/.test(host)
  );
}
