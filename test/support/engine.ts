import assert from "node:assert/strict";
import type { GateEvent, LaneEnded, RequestEnded, ServerChanged } from "../../src/events/index.ts";
import { readHaproxy } from "../../src/formats/haproxy/index.ts";
import { type Gate, openGate } from "../../src/gate/index.ts";
import { type Configuration, type Frontend, formatDiagnostic, settle } from "../../src/model/index.ts";
import { loadMaterials } from "../../src/pki/index.ts";
import { type Guard, matchAuthority, refusePathTricks } from "../../src/policy/index.ts";
import { createPool, type Pool } from "../../src/upstream/index.ts";
import { until } from "./until.ts";

/** The native engine in this process, with everything it told. */
export interface GateUnderTest {
  readonly gate: Gate;
  readonly events: readonly GateEvent[];
  readonly pools: ReadonlyMap<string, Pool>;
  /** The port of a frontend's first bind; default: the first frontend. */
  port(frontend?: string): number;
  /** Waits for an event that was told already or is told later. */
  told<T extends GateEvent>(what: string, is: (event: GateEvent) => event is T): Promise<T>;
  /** Waits until no lane is left, and says so of the pools too. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface GateWant {
  /** The ports written are used; else each bind gets one that is free. */
  readonly keepPorts?: boolean;
  /** The model is changed before it runs: for what haproxy.cfg has no words for. */
  readonly change?: (configuration: Configuration) => Configuration;
  /** Asked besides the usual ones. */
  readonly guard?: Guard;
}

/** Runs the gate that a haproxy.cfg describes; warnings of the file do not matter here. Close it in an `after`. */
export async function startGate(text: string, want: GateWant = {}): Promise<GateUnderTest> {
  const { draft, problems } = readHaproxy(text, "haproxy.cfg", {});
  const settled = settle(draft);
  const errors = [...problems, ...settled.problems].filter(({ severity }) => severity === "error");
  assert.deepEqual(errors.map(formatDiagnostic), [], "the file is good");
  assert.ok(settled.configuration);
  const written = want.keepPorts === true ? settled.configuration : withFreePorts(settled.configuration);
  const configuration = want.change === undefined ? written : want.change(written);
  const loaded = loadMaterials(configuration);
  const bad = loaded.problems.filter(({ severity }) => severity === "error");
  assert.deepEqual(bad.map(formatDiagnostic), [], "the certificates are good");
  return open(configuration, loaded.materials, want.guard === undefined ? [] : [want.guard]);
}

async function open(
  configuration: Configuration,
  materials: ReturnType<typeof loadMaterials>["materials"],
  more: readonly Guard[],
): Promise<GateUnderTest> {
  const events: GateEvent[] = [];
  const tell = (event: GateEvent) => void events.push(event);
  const pools = new Map<string, Pool>();
  for (const backend of configuration.backends.values()) {
    pools.set(
      backend.name,
      createPool({ backend, trustOf: (server) => materials.servers.get(server), tell }),
    );
  }
  const gate = await openGate({
    configuration,
    pools,
    tell,
    contextFor: (bind, serverName) => materials.binds.get(bind)?.contextFor(serverName),
    guardsFor: (frontend, backend) => [
      matchAuthority(frontend),
      ...(backend.kubernetes ? [refusePathTricks] : []),
      ...more,
    ],
  });
  for (const pool of pools.values()) pool.start();
  const counted = () => ({
    lanes: gate.openLanes,
    placed: [...pools.values()].reduce((sum, pool) => sum + pool.lanes, 0),
    load: [...pools.values()].flatMap((pool) => pool.servers).reduce((sum, server) => sum + server.load, 0),
  });
  return {
    gate,
    events,
    pools,
    port(frontend) {
      const address = gate.addresses.find((one) => frontend === undefined || one.frontend === frontend);
      assert.ok(address, `frontend ${frontend} listens`);
      return address.port;
    },
    told: (what, is) =>
      until(
        what,
        () => events.find(is),
        15_000,
        () => events.slice(-5),
      ),
    async empty() {
      const isEmpty = () => Object.values(counted()).every((count) => count === 0);
      await until("all lanes to be over", isEmpty, 15_000, counted);
    },
    async close() {
      gate.close("stopping");
      for (const pool of pools.values()) pool.stop();
    },
  };
}

function withFreePorts(configuration: Configuration): Configuration {
  const free = (frontend: Frontend): Frontend => ({
    ...frontend,
    binds: frontend.binds.map((bind) =>
      bind.address.kind === "tcp" ? { ...bind, address: { ...bind.address, port: 0 } } : bind,
    ),
  });
  return { ...configuration, frontends: configuration.frontends.map(free) };
}

export function isRequest(event: GateEvent): event is RequestEnded {
  return event.kind === "request";
}

export function isLane(event: GateEvent): event is LaneEnded {
  return event.kind === "lane";
}

export function isServer(up: boolean): (event: GateEvent) => event is ServerChanged {
  return (event): event is ServerChanged => event.kind === "server" && event.up === up;
}

export function isHandshake(event: GateEvent): event is Extract<GateEvent, { kind: "handshake" }> {
  return event.kind === "handshake";
}

export const DEFAULTS = `
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
`;
