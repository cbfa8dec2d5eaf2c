import { type CertificateFacts, shortName } from "./certificate.ts";
import { type Finding, warning } from "./finding.ts";

/** What it is shown as: by a gate to its clients, by a gate to an API server, or to nobody (it signs others). */
export type Purpose = "server" | "client" | "authority";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Time enough to have a certificate renewed by people. */
const SOON_DAYS = 14;
const USAGES: Record<"server" | "client", { readonly oid: string; readonly words: string }> = {
  server: { oid: "1.3.6.1.5.5.7.3.1", words: "server authentication" },
  client: { oid: "1.3.6.1.5.5.7.3.2", words: "client authentication" },
};
const ANY_USAGE = "2.5.29.37.0";

/**
 * What the other side will dislike about a certificate. All are warnings: HAProxy runs with every one of them, and
 * a gate that refuses to start helps nobody whose clients do not verify.
 */
export function judgeCertificate(
  facts: CertificateFacts,
  where: { readonly path: string; readonly purpose: Purpose; readonly now: Date },
): Finding[] {
  const subject = `the certificate in ${where.path}`;
  return [
    ...judgePeriod(facts, subject, where.now),
    ...(where.purpose === "server" ? judgeNames(facts, subject) : []),
    ...judgeStrength(facts, subject),
    ...(where.purpose === "authority" ? [] : judgeUsage(facts, subject, where.purpose)),
  ];
}

/** What a certificate says of itself it was made for. */
export function usageOf(facts: CertificateFacts): "server" | "client" | "any" {
  const { usages } = facts;
  if (usages === undefined || usages.includes(ANY_USAGE)) return "any";
  return usages.includes(USAGES.client.oid) && !usages.includes(USAGES.server.oid) ? "client" : "server";
}

function judgePeriod(facts: CertificateFacts, subject: string, now: Date): Finding[] {
  const { notBefore, notAfter } = facts;
  if (now > notAfter) {
    const past = daysBetween(notAfter, now);
    return [
      warning(
        `${subject} expired on ${day(notAfter)} (${past === 0 ? "less than a day" : days(past)} ago): who verifies refuses it`,
        "put a renewed certificate in its place",
      ),
    ];
  }
  if (now < notBefore) {
    return [
      warning(
        `${subject} is not valid before ${second(notBefore)}: who verifies refuses it until then`,
        `this machine's clock says ${second(now)}; is it right?`,
      ),
    ];
  }
  const left = daysBetween(now, notAfter);
  if (left >= SOON_DAYS) return [];
  return [
    warning(
      `${subject} expires on ${day(notAfter)} (${left === 0 ? "less than a day" : days(left)} left)`,
      "put a renewed certificate in its place before that",
    ),
  ];
}

function judgeNames(facts: CertificateFacts, subject: string): Finding[] {
  if (facts.names.length + facts.addresses.length > 0) return [];
  const common =
    facts.commonName === undefined ? "no host at all" : `its host only as CN=${facts.commonName}`;
  return [
    warning(
      `${subject} names ${common}, without subject alternative names: kubectl and today's other clients refuse it even when they trust it`,
      "make one that names its hosts: postern cert self-signed --host NAME --out FILE",
    ),
  ];
}

function judgeStrength(facts: CertificateFacts, subject: string): Finding[] {
  const findings: Finding[] = [];
  if (facts.brokenHash !== undefined) {
    findings.push(
      warning(
        `${subject} is signed with ${facts.brokenHash}, which is broken: strict clients refuse it`,
        "have it signed with SHA-256",
      ),
    );
  }
  if (facts.rsaBits !== undefined && facts.rsaBits < 2048) {
    findings.push(
      warning(
        `${subject} has an RSA key of ${facts.rsaBits} bits: clients refuse less than 2048`,
        "make a new key: ECDSA P-256, or RSA with 2048 bits",
      ),
    );
  }
  return findings;
}

function judgeUsage(facts: CertificateFacts, subject: string, purpose: "server" | "client"): Finding[] {
  const { oid, words } = USAGES[purpose];
  const { usages } = facts;
  if (usages === undefined || usages.includes(oid) || usages.includes(ANY_USAGE)) return [];
  const other = purpose === "server" ? "client" : "server";
  const made = usages.includes(USAGES[other].oid) ? ` (it is one for ${USAGES[other].words})` : "";
  return [
    warning(`${subject} (${shortName(facts)}) may not be used for ${words}${made}: who verifies refuses it`),
  ];
}

function daysBetween(from: Date, to: Date): number {
  return Math.floor((to.getTime() - from.getTime()) / DAY_MS);
}

function days(count: number): string {
  return count === 1 ? "1 day" : `${count} days`;
}

/** `2026-11-25` (UTC). */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** `2026-11-25 10:00:00Z`. */
function second(date: Date): string {
  return date.toISOString().replace("T", " ").replace(/\.\d+/, "");
}
