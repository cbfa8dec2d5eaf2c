import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  mastersGroup,
  type Sandbox,
  type SeenRequest,
  startSandbox,
  viewersGroup,
} from "../src/sandbox/index.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type KubectlVersion, kubectlVersions, type Seat, takeSeat } from "./support/kubectl.ts";
import type { KubectlCase } from "./support/kubectl-case.ts";
import { casesFor } from "./support/kubectl-cases.ts";
import { checkCase, runCase } from "./support/kubectl-run.ts";
import { makeAuthority } from "./support/kubectl-tls.ts";
import { freePort, postern, type Running } from "./support/process.ts";
import { until } from "./support/until.ts";

// Real kubectl does the same work directly at one sandbox and through a gate at another: first with nothing remembered
// in any run, then with what the runs before it have learnt of the server. What it prints and its exit code must be as
// the case says, and the same on both ways.

const authority = makeAuthority();
/** A name of the API's own certificate. */
const PASSED_NAME = "kubernetes";
/** What clients of the gate trust, and the API does not stand under. */
const gateAuthority = makeAuthority("gate test CA");

const FORWARDED = "x-forwarded-for";

describe("real kubectl does its work, directly and through the gate alike", { concurrency: 1 }, () => {
  for (const version of kubectlVersions) {
    describe(`kubectl ${version}`, { concurrency: 1 }, () => {
      // What is started, ended the newest first; also when what comes after it cannot be started.
      const ends: Ends = [];
      let direct: Way;
      let gated: Way & GatedWay;

      before(async () => {
        const folder = await temporaryFolder();
        ends.push(() => folder.remove());
        direct = await directWay(version, folder, ends);
        gated = await gatedWay(version, folder, ends);
      });
      after(async () => {
        for (const end of ends.reverse()) await end();
      });

      for (const cache of ["cold", "warm"] as const) {
        for (const given of casesFor(version)) {
          it(`${given.name} (${cache})`, async () => {
            const home = (way: Way) =>
              cache === "warm" ? join(way.folder, "home") : mkdtempSync(join(way.folder, "cold-"));
            // A client certificate ends where TLS does: such a user takes the way that is passed through.
            const seat = given.user === "certificate" ? gated.untouched : gated.seat;
            const seen = gated.sandbox.requests.length;
            // At the same time: some cases wait for what the one before them began.
            const [expected, result] = await Promise.all([
              runCase(direct.seat, given, home(direct)),
              runCase(seat, given, home(gated)),
            ]);
            checkCase(given, expected);
            assert.deepEqual(result, expected, "the same through the gate");
            checkArrivals(given, gated.sandbox.requests.slice(seen));
          });
        }
      }

      it("the log tells every request that came to the API, once, by the protocol it came by", async () => {
        const came = gated.sandbox.requests.filter(({ headers }) => valuesOf(headers, FORWARDED).length > 0);
        // Those kubectl was ended in are told when the lane has ended.
        const lines = await until(
          "a line for each request",
          () => atLeast(came.length, logLines(gated.gate.stdout())),
          20_000,
          () => [came.length, logLines(gated.gate.stdout()).length],
        );
        const told = lines.map(({ method, path, version }) => `${method} ${path} HTTP/${version}`);
        assert.deepEqual(
          told.sort(),
          came.map(({ method, url, httpVersion }) => `${method} ${pathOf(url)} HTTP/${httpVersion}`).sort(),
        );
        assert.deepEqual([...new Set(lines.map((line) => line.version))].sort(), ["1.1", "2.0"]);
        assert.ok(lines.length > 500, `${lines.length} requests`);
      });

      it("streams were tunnels of the kind this kubectl speaks, and refused ones were tried as it tries them", () => {
        const streams = logLines(gated.gate.stdout()).flatMap(({ status, method, path }) => {
          const stream = /\/(exec|attach|portforward)$/.exec(path)?.[1];
          return stream === undefined ? [] : [`${status} ${TRANSPORT[method]} ${stream}`];
        });
        assert.deepEqual([...new Set(streams)].sort(), STREAMS[version]);
      });

      it("nothing was answered by the gate itself", () => {
        assert.doesNotMatch(gated.gate.stdout(), /<NOSRV>/);
      });
    });
  }
});

/** Which kind of upgrade a kubectl asks for by this method. */
const TRANSPORT: Readonly<Record<string, string>> = { GET: "WebSocket", POST: "SPDY" };

const SPDY_STREAMS = ["101 SPDY attach", "101 SPDY exec", "101 SPDY portforward"];

/** A viewer's exec and port-forward are forbidden: the new kubectl then asks again by SPDY. */
const STREAMS: Readonly<Record<KubectlVersion, readonly string[]>> = {
  "1.20": [...SPDY_STREAMS, "403 SPDY exec", "403 SPDY portforward"],
  "1.35": [
    ...SPDY_STREAMS,
    ...["101 WebSocket attach", "101 WebSocket exec", "101 WebSocket portforward"],
    ...["403 SPDY exec", "403 SPDY portforward", "403 WebSocket exec", "403 WebSocket portforward"],
  ],
};

interface LogLine {
  readonly status: string;
  readonly method: string;
  /** Without its query, which is long and in which secrets are taken out. */
  readonly path: string;
  readonly version: string;
}

/** The lines of the frontend that ends TLS. */
function logLines(text: string): readonly LogLine[] {
  const pattern =
    / outside~ api\/one \S+ (?<status>\d+) .* "(?<method>[A-Z]+) (?<target>\S+) HTTP\/(?<version>\d\.\d)"$/gm;
  return [...text.matchAll(pattern)].map(({ groups }) => {
    const { status = "", method = "", target = "", version = "" } = groups ?? {};
    return { status, method, path: pathOf(target), version };
  });
}

/** Of a target with or without its origin. */
function pathOf(target: string): string {
  return new URL(target, "https://api").pathname;
}

function atLeast<T>(count: number, list: readonly T[]): readonly T[] | undefined {
  return list.length >= count ? list : undefined;
}

/** The API saw the client's own protocol, and, where TLS ended at the gate, the client's address in one line. */
function checkArrivals(given: KubectlCase, requests: readonly SeenRequest[]): void {
  const addresses = given.user === "certificate" ? [] : ["127.0.0.1"];
  for (const { url, headers, httpVersion } of requests) {
    const byOne = given.env?.DISABLE_HTTP2 !== undefined || valuesOf(headers, "upgrade").length > 0;
    assert.equal(httpVersion, byOne ? "1.1" : "2.0", url);
    assert.deepEqual(valuesOf(headers, FORWARDED), addresses, url);
  }
}

function valuesOf(headers: SeenRequest["headers"], wanted: string): string[] {
  return headers.filter(([name]) => name === wanted).map(([, value]) => value);
}

interface Way {
  readonly folder: string;
  readonly sandbox: Sandbox;
  readonly seat: Seat;
}

interface GatedWay {
  readonly gate: Running;
  /** Past the gate's own TLS, by the server name that leads there. */
  readonly untouched: Seat;
}

type Ends = (() => Promise<unknown>)[];

async function directWay(version: KubectlVersion, folder: Folder, ends: Ends): Promise<Way> {
  const own = folder.file("direct");
  mkdirSync(own);
  const sandbox = await startApi();
  ends.push(() => sandbox.close());
  return { folder: own, sandbox, seat: await seatAt(version, sandbox.url, own) };
}

/** The recipe's second example, with a frontend beside it that passes TLS through. */
async function gatedWay(version: KubectlVersion, folder: Folder, ends: Ends): Promise<Way & GatedWay> {
  const own = folder.file("gated");
  const past = folder.file("untouched");
  mkdirSync(own);
  mkdirSync(past);
  const sandbox = await startApi();
  ends.push(() => sandbox.close());
  const [port, untouchedPort] = [await freePort(), await freePort()];
  await folder.write("gate.pem", gateAuthority.server.cert + gateAuthority.server.key);
  await folder.write("ca.crt", authority.ca);
  const file = await folder.write(
    "haproxy.cfg",
    `global
    log stdout format raw local0
defaults
    log global
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
    timeout tunnel 86400s
frontend outside
    mode http
    option httplog
    option dontlognull
    bind 127.0.0.1:${port} ssl crt ${folder.file("gate.pem")} alpn h2,http/1.1
    default_backend api
backend api
    mode http
    balance leastconn
    server one 127.0.0.1:${sandbox.port} check ssl verify required ca-file ${folder.file("ca.crt")} verifyhost kubernetes
frontend untouched
    mode tcp
    option tcplog
    bind 127.0.0.1:${untouchedPort}
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend api_untouched if { req.ssl_sni -i ${PASSED_NAME} }
backend api_untouched
    mode tcp
    server one 127.0.0.1:${sandbox.port} check
`,
  );
  const gate = postern(["run", "-f", file]);
  ends.push(() => gate.stop());
  await gate.wrote(/^listening on .*untouched$/m);
  return {
    folder: own,
    sandbox,
    seat: await seatAt(version, `https://127.0.0.1:${port}`, own, { ca: gateAuthority.ca }),
    untouched: await seatAt(version, `https://127.0.0.1:${untouchedPort}`, past, {
      tlsServerName: PASSED_NAME,
    }),
    gate,
  };
}

function startApi(): Promise<Sandbox> {
  return startSandbox({
    tls: authority.server,
    ca: authority.ca,
    clientCa: authority.ca,
    logIntervalMs: 100,
    tokens: {
      "admin-token": { name: "admin", groups: [mastersGroup] },
      "viewer-token": { name: "system:serviceaccount:default:robot", groups: [viewersGroup] },
    },
  });
}

function seatAt(
  version: KubectlVersion,
  server: string,
  folder: string,
  trust: { readonly ca?: string; readonly tlsServerName?: string } = {},
): Promise<Seat> {
  return takeSeat({
    version,
    server,
    ca: authority.ca,
    ...trust,
    folder,
    users: {
      admin: { token: "admin-token" },
      viewer: { token: "viewer-token" },
      certificate: authority.admin,
      stranger: { token: "unknown-token" },
    },
  });
}
