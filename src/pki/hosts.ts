import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { PkiError } from "./error.ts";

/** What a certificate may carry as subject alternative names (RFC 5280 §4.2.1.6). */
export interface Hosts {
  /** Lower case, without trailing dot; a wildcard only as the whole first label. */
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

// Letters, digits, hyphens; underscores are no host name but stand in many internal zones, and clients accept them.
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Sorts what a person wrote into DNS names and IP addresses, each once, in the order written.
 * @throws PkiError `bad_host` when there is none, or one is neither
 */
export function readHosts(written: readonly string[]): Hosts {
  const names = new Set<string>();
  const addresses = new Set<string>();
  for (const host of written) {
    const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
    if (isIP(bare) !== 0) addresses.add(bare.toLowerCase());
    else names.add(readName(host));
  }
  if (names.size + addresses.size === 0) {
    throw new PkiError("bad_host", "a certificate needs at least one host name or IP address");
  }
  return { names: [...names], addresses: [...addresses] };
}

function readName(host: string): string {
  if (host === "*") {
    throw new PkiError(
      "bad_host",
      '"*" alone names no host: kubectl and every other client of today refuse it',
      "write the names the clients will use, such as kube.example.com, or *.example.com for one label",
    );
  }
  const wildcard = host.startsWith("*.");
  const plain = (wildcard ? host.slice(2) : host).replace(/\.$/, "");
  const ascii = domainToASCII(plain).toLowerCase();
  const labels = ascii.split(".");
  if (ascii.length > 253 || !labels.every((label) => LABEL.test(label))) {
    throw new PkiError("bad_host", `"${host}" is neither a host name nor an IP address`, hintFor(host));
  }
  return wildcard ? `*.${ascii}` : ascii;
}

function hintFor(host: string): string | undefined {
  if (host.includes("://")) return "leave out the scheme and the path";
  if (/:\d+$/.test(host)) return "leave out the port";
  if (host.includes("*")) return "a wildcard stands for the whole first label: *.example.com";
  return undefined;
}
