import { isRemovedHeader } from "../../policy/headers.ts";
import type { Line, MarkedLine, RequestReader, ResponseReader } from "../../wire/http1/index.ts";
import type { Outgoing } from "./outgoing.ts";

const CLOSE_LINE = Buffer.from("Connection: close\r\n");
const LOWER = 0x20;

/** The fate of a request's header line by its name (policy/headers.ts), without a string for nearly all of them. */
export function requestFieldRule(bytes: Buffer, from: number, to: number): "keep" | "remove" | "refuse" {
  const first = bytes[from]! | LOWER;
  if (first !== 0x78 /* x */ && first !== 0x66 /* f */) return "keep";
  const name = bytes.toString("latin1", from, to).toLowerCase();
  if (isRemovedHeader(name)) return "remove";
  // Servers that turn names into variables read `X_Remote_User` as `X-Remote-User`.
  return name.includes("_") && isRemovedHeader(name.replaceAll("_", "-")) ? "refuse" : "keep";
}

export function forwardedForLine(address: string): Buffer {
  return Buffer.from(`X-Forwarded-For: ${address}\r\n`, "latin1");
}

/**
 * Adds a request's head to what goes to the server: what must not pass is left out, `added` stands last.
 * @returns the name of a header that Connection must not name, when it does: the request is to be refused
 */
export function addRequestHead(
  out: Outgoing,
  request: RequestReader,
  added: Buffer | undefined,
): string | undefined {
  if (request.marked.length === 0) {
    addWithout(out, request, [], added);
    return undefined;
  }
  const drop: Line[] = [];
  for (const line of request.marked) {
    if (line.kind === "remove" || (line.kind === "upgrade" && !request.asksUpgrade)) drop.push(line);
    else if (line.kind === "te" && !isTrailersOnly(request, line)) drop.push(line);
  }
  const protectedName = editConnection(request, drop);
  if (protectedName !== undefined) return protectedName;
  drop.sort((a, b) => a.from - b.from);
  addWithout(out, request, drop, added);
  return undefined;
}

/** Adds a response's head with `Connection: close` in place of what the server said about it. */
export function addClosingResponseHead(out: Outgoing, response: ResponseReader): void {
  addWithout(out, response, response.connectionLines, CLOSE_LINE);
}

function addWithout(
  out: Outgoing,
  head: { readonly bytes: Buffer; readonly from: number; readonly to: number },
  drop: readonly Line[],
  added: Buffer | undefined,
): void {
  let at = head.from;
  for (const line of drop) {
    out.add(head.bytes, at, line.from);
    at = line.to;
  }
  const emptyLine = head.to - 2;
  out.add(head.bytes, at, emptyLine);
  if (added !== undefined) out.add(added, 0, added.length);
  out.add(head.bytes, emptyLine, head.to);
}

/** `TE: trailers` is all that may be asked of a server that nobody translates for (RFC 9110 §10.1.4). */
function isTrailersOnly(request: RequestReader, line: MarkedLine): boolean {
  return textOf(request, line).toLowerCase() === "trailers";
}

/**
 * Connection may name headers that end at this hop (RFC 9110 §7.6.1): they are left out with their mention. It must not
 * be able to take away what says who asks, for whom, or where the message ends.
 */
function editConnection(request: RequestReader, drop: Line[]): string | undefined {
  for (const line of request.marked) {
    if (line.kind !== "connection") continue;
    const options = textOf(request, line)
      .toLowerCase()
      .split(",")
      .map((option) => option.trim())
      .filter((option) => option !== "");
    const isKept = (option: string) =>
      option === "close" ||
      option === "keep-alive" ||
      (option === "upgrade" && request.asksUpgrade) ||
      (option === "te" && request.marked.some((te) => te.kind === "te" && isTrailersOnly(request, te)));
    const named = options.filter((option) => !isKept(option));
    const protectedName = named.find(isProtected);
    if (protectedName !== undefined) return protectedName;
    for (const option of named) dropLinesNamed(request, option, drop);
    // A line that also says something for the server stays as it is: naming what is gone already does no harm.
    if (named.length > 0 && named.length === options.length) drop.push(line);
  }
  return undefined;
}

const PROTECTED: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "host",
  "content-length",
  "content-type",
  "content-encoding",
  "transfer-encoding",
  "connection",
  "expect",
  "audit-id",
  "x-stream-protocol-version",
]);

function isProtected(name: string): boolean {
  return (
    PROTECTED.has(name) ||
    isRemovedHeader(name) ||
    name.startsWith("impersonate-") ||
    name.startsWith("sec-websocket-")
  );
}

function dropLinesNamed(request: RequestReader, name: string, drop: Line[]): void {
  const { bytes, from, to } = request;
  let at = from;
  for (const text of bytes.toString("latin1", from, to - 2).split("\r\n")) {
    const line = { from: at, to: at + text.length + 2 };
    at = line.to;
    const colon = text.indexOf(":");
    if (line.from === from || colon < 0 || text.slice(0, colon).toLowerCase() !== name) continue;
    if (!drop.some((other) => other.from === line.from)) drop.push(line);
  }
}

function textOf(request: RequestReader, line: MarkedLine): string {
  return request.bytes.toString("latin1", line.valueFrom, line.valueTo);
}
