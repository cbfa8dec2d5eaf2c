import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, test } from "node:test";
import type { ReasonCode } from "../events/index.ts";
import { createPool, dial } from "./index.ts";
import { backend, Events, type Pair, SERVER_TLS, server, tlsServer, trust, Workshop } from "./testing.ts";
import type { ServerTrust } from "./trust.ts";
import { judgeServer } from "./verify.ts";

const workshop = new Workshop();
after(() => workshop.close());
const ca = workshop.issue({ subject: "/O=House/CN=house ca", authority: true });
const otherCa = workshop.issue({ subject: "/O=Elsewhere/CN=other ca", authority: true });
const renewedCa = workshop.issue({ subject: "/O=House/CN=house ca", authority: true });
const expiredCa = workshop.issue({
  subject: "/O=House/CN=old ca",
  authority: true,
  fromDays: -20,
  untilDays: -10,
});
const between = workshop.issue({ subject: "/O=House/CN=house issuing", issuer: ca, authority: true });
const names = "DNS:kubernetes,DNS:*.k8s.example.com,IP:10.0.0.1";
const good = workshop.issue({ subject: "/CN=api", issuer: ca, names });

interface Row {
  readonly rule: string;
  readonly shows: Pair;
  readonly chain?: Pair;
  readonly wanted?: string;
  readonly sni?: string;
  readonly trust?: ServerTrust;
  /** Undefined: trusted. */
  readonly reason?: ReasonCode;
  readonly says?: readonly RegExp[];
}

const houseTrust = trust(ca);
const rows: readonly Row[] = [
  { rule: "trusts a certificate of its authority without a name to verify (HAProxy §5.2)", shows: good },
  { rule: "trusts the name it wants", shows: good, wanted: "kubernetes" },
  { rule: "compares names without case and trailing dot", shows: good, wanted: "KuberNetes." },
  { rule: "trusts an IP address that stands as such", shows: good, wanted: "10.0.0.1" },
  { rule: "lets a wildcard stand for one label", shows: good, wanted: "a.k8s.example.com" },
  { rule: "verifies the SNI it sends when verifyhost is not given", shows: good, sni: "kubernetes" },
  {
    rule: "verifies verifyhost rather than the SNI it sends",
    shows: good,
    sni: "other.example.com",
    wanted: "kubernetes",
  },
  {
    rule: "lets a wildcard not stand for two labels (RFC 6125 §6.4.3)",
    shows: good,
    wanted: "a.b.k8s.example.com",
    reason: "server_wrong_name",
  },
  {
    rule: "refuses another name and lists those it carries",
    shows: good,
    wanted: "apiserver.kubernetes.l4lb.thisdcos.directory",
    reason: "server_wrong_name",
    says: [/not for "apiserver\.kubernetes\.l4lb/, /but for kubernetes, \*\.k8s\.example\.com, 10\.0\.0\.1/],
  },
  {
    rule: "refuses a wrong fixed SNI as a wrong name",
    shows: good,
    sni: "other.example.com",
    reason: "server_wrong_name",
  },
  { rule: "refuses another IP address", shows: good, wanted: "10.0.0.2", reason: "server_wrong_name" },
  {
    rule: "never takes the common name for a name (RFC 6125 §6.4.4)",
    shows: workshop.issue({ subject: "/CN=kubernetes", issuer: ca, names: "DNS:other" }),
    wanted: "kubernetes",
    reason: "server_wrong_name",
  },
  {
    rule: "tells a certificate with a common name only",
    shows: workshop.issue({ subject: "/CN=kubernetes", issuer: ca }),
    wanted: "kubernetes",
    reason: "server_no_san",
    says: [/common name only \("CN=kubernetes"\)/, /subjectAltName/],
  },
  {
    rule: "names the issuer, the configured authority and its file when another authority signed",
    shows: workshop.issue({ subject: "/CN=api", issuer: otherCa, names }),
    reason: "server_untrusted",
    says: [
      /not signed by the configured authority "O=House, CN=house ca" \(\/etc\/gate\/ca\.crt\)/,
      /"O=Elsewhere, CN=other ca"/,
    ],
  },
  {
    rule: "says so too when that authority's own certificate is sent",
    shows: workshop.issue({ subject: "/CN=api", issuer: otherCa, names }),
    chain: otherCa,
    reason: "server_untrusted",
    says: [/by another one, "O=Elsewhere, CN=other ca": use that authority's certificate as ca-file$/],
  },
  {
    rule: "tells an authority that was made anew under its old name",
    shows: workshop.issue({ subject: "/CN=api", issuer: renewedCa, names }),
    reason: "server_untrusted",
    says: [/another key of an authority with the same name, "O=House, CN=house ca"/],
  },
  {
    rule: "tells a chain whose intermediate certificate is missing",
    shows: workshop.issue({ subject: "/CN=api", issuer: between, names }),
    reason: "server_untrusted",
    says: [/chain of .* is incomplete: "CN=api" is signed by "O=House, CN=house issuing"/, /intermediate/],
  },
  {
    rule: "trusts that chain when it is complete",
    shows: workshop.issue({ subject: "/CN=api", issuer: between, names }),
    chain: between,
    wanted: "kubernetes",
  },
  {
    rule: "tells a self-signed certificate",
    shows: workshop.issue({ subject: "/CN=api", names }),
    reason: "server_untrusted",
    says: [/"CN=api"\) is self-signed, not signed by the configured authority "O=House, CN=house ca"/],
  },
  {
    rule: "tells an expired certificate and since when",
    shows: workshop.issue({ subject: "/CN=api", issuer: ca, names, fromDays: -20, untilDays: -10 }),
    reason: "server_expired",
    says: [new RegExp(`"CN=api" of .* expired on ${dayFromNow(-10)}`), /renew/],
  },
  {
    rule: "tells a certificate that is not valid yet",
    shows: workshop.issue({ subject: "/CN=api", issuer: ca, names, fromDays: 5, untilDays: 10 }),
    reason: "server_not_yet_valid",
    says: [new RegExp(`not valid before ${dayFromNow(5)}`), /clocks/],
  },
  {
    rule: "tells that the authority itself has expired",
    shows: workshop.issue({ subject: "/CN=api", issuer: expiredCa, names }),
    trust: trust(expiredCa, { caNames: ["O=House, CN=old ca"] }),
    reason: "server_expired",
    says: [/authority that signed .* has itself expired: "O=House, CN=old ca"/],
  },
  {
    rule: "refuses a certificate made for clients only",
    shows: workshop.issue({ subject: "/CN=api", issuer: ca, names, usage: "clientAuth" }),
    reason: "server_untrusted",
    says: [/serverAuth/],
  },
  {
    rule: "verify none takes any certificate",
    shows: workshop.issue({ subject: "/CN=api", fromDays: -20, untilDays: -10 }),
    wanted: "kubernetes",
    trust: trust(undefined, { verify: "none" }),
  },
];

for (const row of rows) {
  test(row.rule, { timeout: 5000 }, async () => {
    const cert = `${row.shows.cert}${row.chain?.cert ?? ""}`;
    let heard = 0;
    const upstream = await tlsServer({ key: row.shows.key, cert }, (socket) => {
      socket.on("data", (chunk) => {
        heard += chunk.length;
      });
    });
    const tls = {
      ...SERVER_TLS,
      ...(row.wanted !== undefined && { verifyHost: row.wanted }),
      ...(row.sni !== undefined && { sni: { kind: "fixed", name: row.sni } as const }),
    };
    const pool = createPool({
      backend: backend([server("s1", upstream.port, { tls })]),
      trustOf: () => row.trust ?? houseTrust,
      tell: new Events().tell,
    });
    const picked = pool.pick({ clientAddress: "192.0.2.1" });
    assert.ok(picked);
    const gone = new AbortController().signal;
    const outcome = await dial({ server: picked, alpn: [], clientServerName: undefined, gone });
    if (outcome.kind === "dialled") outcome.connection.destroy();
    await upstream.close();
    assert.equal(outcome.kind === "failed" ? outcome.reason : undefined, row.reason);
    if (outcome.kind !== "failed") return;
    assert.equal(heard, 0, "no byte was written to a server that is not trusted");
    assert.ok(outcome.detail.includes(`127.0.0.1:${upstream.port}`), outcome.detail);
    assert.ok(!outcome.detail.includes("\n"), "one line");
    for (const pattern of row.says ?? []) assert.match(outcome.detail, pattern);
  });
}

test("a server that shows no certificate is not trusted, whatever OpenSSL says", () => {
  const peer = { verifyCode: undefined, certificate: undefined, address: "10.0.0.1:6443" };
  const judged = judgeServer(peer, { trust: houseTrust, name: undefined }, Date.now());
  assert.equal(judged.kind, "untrusted");
});

test("a certificate is judged by the clock at hand, not only by what OpenSSL saw", () => {
  const peer = {
    verifyCode: undefined,
    certificate: new X509Certificate(good.cert),
    address: "10.0.0.1:6443",
  };
  const later = Date.now() + 40 * 24 * 60 * 60 * 1000;
  const judged = judgeServer(peer, { trust: houseTrust, name: undefined }, later);
  assert.equal(judged.kind === "untrusted" && judged.reason, "server_expired");
});

test("what a stranger wrote into a certificate cannot break a log line", () => {
  const hostile = workshop.issue({ subject: "/CN=a\u001b[31m\tb", issuer: ca });
  const certificate = new X509Certificate(hostile.cert);
  const peer = { verifyCode: undefined, certificate, address: "10.0.0.1:6443" };
  const judged = judgeServer(peer, { trust: houseTrust, name: "kubernetes" }, Date.now());
  assert.ok(judged.kind === "untrusted");
  assert.match(judged.detail, /"CN=a/);
  assert.doesNotMatch(judged.detail, /[\u0000-\u001f]/);
});

function dayFromNow(days: number): string {
  return new Date(Date.now() + days * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
}
