import { isIP } from "node:net";
import type { CertificateFacts } from "./certificate.ts";
import { certificateChooser } from "./choose.ts";

/**
 * What kubectl prints of a certificate whose issuer it trusts, when it reaches the gate by a host; undefined: it accepts.
 * In the words of Go's crypto/x509 (verify.go: `Certificate.isValid`, `HostnameError.Error`), which are what a person
 * will paste into a search box.
 */
export function kubectlSays(
  facts: CertificateFacts,
  host: string,
  now: Date = new Date(),
): string | undefined {
  if (now > facts.notAfter) return expired(`current time ${stamp(now)} is after ${stamp(facts.notAfter)}`);
  if (now < facts.notBefore) return expired(`current time ${stamp(now)} is before ${stamp(facts.notBefore)}`);
  return isIP(host) === 0 ? ofName(facts, host) : ofAddress(facts, host);
}

function ofAddress({ addresses }: CertificateFacts, address: string): string | undefined {
  if (addresses.includes(address.toLowerCase())) return undefined;
  if (addresses.length === 0) {
    return `x509: cannot validate certificate for ${address} because it doesn't contain any IP SANs`;
  }
  return `x509: certificate is valid for ${addresses.join(", ")}, not ${address}`;
}

function ofName(facts: CertificateFacts, name: string): string | undefined {
  if (matches(facts.names, name)) return undefined;
  if (facts.names.length > 0) return `x509: certificate is valid for ${facts.names.join(", ")}, not ${name}`;
  const { commonName } = facts;
  // Go lets a lone star stand for one label here, so CN=* is "legacy" for localhost and nothing for a name with dots.
  const legacy =
    commonName !== undefined && (matches([commonName], name) || (commonName === "*" && !name.includes(".")));
  return legacy && facts.addresses.length === 0
    ? "x509: certificate relies on legacy Common Name field, use SANs instead"
    : `x509: certificate is not valid for any names, but wanted to match ${name}`;
}

function matches(names: readonly string[], name: string): boolean {
  return certificateChooser([{ names, value: true }], true)(name) === true;
}

function expired(detail: string): string {
  return `x509: certificate has expired or is not yet valid: ${detail}`;
}

/** RFC 3339 without fractions, as Go writes it. */
function stamp(date: Date): string {
  return date.toISOString().replace(/\.\d+/, "");
}
