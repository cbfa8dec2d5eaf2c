/**
 * What one request costs in the h1 relay itself, without sockets and TLS: the head of a kubectl GET with a 1.2 KB token
 * in, a 1 KB answer out. Run: node dist/bench/http1-micro.js [requests]
 */
import { createHttp1Relay } from "../src/gate/http1/index.ts";
import type { RelayContext } from "../src/gate/relay.ts";
import { FakeLane } from "../src/gate/testing.ts";
import type { Guard } from "../src/policy/guard.ts";

const TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6I".padEnd(1_200, "aBcD0_-9");
const REQUEST = Buffer.from(
  [
    "GET /api/v1/namespaces/default/pods?limit=500 HTTP/1.1",
    "Host: api.prod-eu.example.com:6443",
    "User-Agent: kubectl/v1.35.0 (linux/amd64) kubernetes/1234567",
    `Authorization: Bearer ${TOKEN}`,
    "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
    "Kubectl-Command: kubectl get",
    "Kubectl-Session: 7f1c9a3e-6a55-4a0e-9f50-1f6d2a0f3b7c",
    "Accept-Encoding: gzip",
    "Cache-Control: no-cache",
    "Pragma: no-cache",
    "Audit-Id: 0d3a2f5e-6a55-4a0e-9f50-1f6d2a0f3b7c",
    "Priority: u=1",
    "\r\n",
  ].join("\r\n"),
);
const BODY = "x".repeat(1_024);
const RESPONSE = Buffer.from(
  [
    "HTTP/1.1 200 OK",
    "Audit-Id: 0d3a2f5e-6a55-4a0e-9f50-1f6d2a0f3b7c",
    "Cache-Control: no-cache, private",
    "Content-Type: application/json",
    "X-Kubernetes-Pf-Flowschema-Uid: 7f1c9a3e-6a55-4a0e-9f50-1f6d2a0f3b7c",
    "X-Kubernetes-Pf-Prioritylevel-Uid: 7f1c9a3e-6a55-4a0e-9f50-1f6d2a0f3b7c",
    "Date: Wed, 25 Nov 2026 00:53:00 GMT",
    `Content-Length: ${BODY.length}`,
    "",
    BODY,
  ].join("\r\n"),
);

/** Keeps nothing: a connection that always has room. */
class Sink extends FakeLane {
  count = 0;
  override now = (): number => performance.now();
  override wallClock = (): number => Date.now();
  override tell = (): void => {
    this.count++;
  };
}

const pass: Guard = (ask) =>
  ask.target.length > 0 ? { kind: "pass" } : { kind: "refuse", reason: "denied" };
const timeouts: RelayContext["timeouts"] = {
  clientMs: 86_400_000,
  serverMs: 86_400_000,
  httpRequestMs: 10_000,
  httpKeepAliveMs: 30_000,
  tunnelMs: undefined,
  clientFinMs: undefined,
  serverFinMs: undefined,
};

function run(requests: number, request: Buffer): number {
  const lane = new Sink({ guards: [pass], timeouts, forwardedFor: "192.0.2.7" });
  const { client, server } = lane;
  if (server === undefined) throw new Error("the lane has no server");
  client.write = () => true;
  server.write = () => true;
  const relay = createHttp1Relay(lane);
  const before = process.cpuUsage();
  for (let i = 0; i < requests; i++) {
    relay.clientData(request);
    relay.serverData(RESPONSE);
  }
  const { user, system } = process.cpuUsage(before);
  if (lane.count !== requests) throw new Error(`${lane.count} of ${requests} requests were told`);
  return (user + system) / requests;
}

const requests = Number(process.argv[2] ?? 200_000);
for (const [name, request] of [
  ["kubectl get, 1.2 KB token", REQUEST],
  ["a bare GET", Buffer.from("GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n")],
] as const) {
  run(20_000, request);
  const rounds = [1, 2, 3, 4, 5].map(() => run(requests, request));
  const median = rounds.sort((a, b) => a - b)[2]!;
  console.log(`${name}: ${median.toFixed(2)} µs of CPU per request, both directions`);
}
