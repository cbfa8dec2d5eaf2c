import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { normalServerName } from "../model/index.ts";

const NAMES_SHOWN = 8;
const TEXT_SHOWN = 200;

/**
 * Whether a certificate is made for a name. Only subject alternative names count, never the common name; a wildcard
 * stands for one whole left-most label (RFC 6125 §6.4.3, §6.4.4; Go and so every kubectl since 1.15 do the same).
 */
export function carriesName(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  const found = certificate.checkHost(normalServerName(name), {
    subject: "never",
    partialWildcards: false,
    multiLabelWildcards: false,
    singleLabelSubdomains: false,
  });
  return found !== undefined;
}

/** The DNS names and IP addresses of a certificate; empty: it has a common name at the most. */
export function alternativeNames(certificate: X509Certificate): string[] {
  const listed = certificate.subjectAltName ?? "";
  const names: string[] = [];
  // Node quotes names with odd characters as JSON strings, so a comma inside quotes separates nothing.
  for (const match of listed.matchAll(/(?:^|, )(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    if (match[2] !== undefined) names.push(match[2]);
  }
  return names;
}

/** `kubernetes, 10.0.0.1 and 3 more`, fit for a log line. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map(printable).join(", ");
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}

/** A distinguished name on one line: Node separates its parts by LF. */
export function quoteName(distinguishedName: string): string {
  return `"${printable(nameParts(distinguishedName).join(", "))}"`;
}

/** Whether two distinguished names mean the same, however they are written down. A bare word is a common name. */
export function sameName(a: string, b: string): boolean {
  if (!a.includes("=") || !b.includes("=")) return commonName(a) === commonName(b);
  const left = nameParts(a).sort();
  const right = nameParts(b).sort();
  return left.length === right.length && left.every((part, index) => part === right[index]);
}

/** Whether two distinguished names belong to one organisation. */
export function sameOrganisation(a: string, b: string): boolean {
  const organisations = nameParts(a).filter((part) => part.startsWith("O="));
  return organisations.length > 0 && nameParts(b).some((part) => organisations.includes(part));
}

function commonName(name: string): string | undefined {
  if (!name.includes("=")) return name;
  return nameParts(name)
    .find((part) => part.startsWith("CN="))
    ?.slice("CN=".length);
}

function nameParts(distinguishedName: string): string[] {
  return distinguishedName
    .split(/\n|,\s*(?=[A-Za-z]+=)/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** What a stranger wrote, without characters that could fake a log line or steer a terminal. */
export function printable(text: string): string {
  const clean = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?");
  return clean.length > TEXT_SHOWN ? `${clean.slice(0, TEXT_SHOWN)}…` : clean;
}
