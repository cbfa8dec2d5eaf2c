import type { Backend } from "../model/index.ts";
import type { PoolServer } from "./server.ts";

/** Chooses among servers that may take a lane; never called with none. */
type Choose = (usable: readonly PoolServer[], clientAddress: string) => PoolServer | undefined;

/**
 * HAProxy manual §4.2 `balance`, for lanes: what counts is connections, not requests.
 * @param random  from 0 to below 1
 */
export function createBalance(algorithm: Backend["balance"], random: () => number): Choose {
  switch (algorithm) {
    case "roundrobin":
      return smoothRoundRobin();
    case "leastconn":
      return leastLoaded();
    case "first":
      return (usable) => usable[0];
    case "source":
      return bySource;
    case "random":
      return twoChoices(random);
  }
}

/**
 * Those that may take a lane: active servers that are up; when there are none, the first backup that is up (HAProxy
 * without `option allbackups`). A server of weight 0 gets no new lanes, one at its `maxconn` none for now.
 */
export function usableServers(
  servers: readonly PoolServer[],
  avoid: ReadonlySet<PoolServer> | undefined,
): PoolServer[] {
  const willing = (server: PoolServer) => server.up && server.server.weight > 0;
  const free = (server: PoolServer) => !server.full && !avoid?.has(server);
  const active = servers.filter((server) => !server.server.backup && willing(server));
  if (active.length > 0) return active.filter(free);
  const backup = servers.find((server) => server.server.backup && willing(server) && !avoid?.has(server));
  return backup === undefined || backup.full ? [] : [backup];
}

/** Each turn everyone gains its weight and the richest pays for all: `a a b` becomes `a b a`. */
function smoothRoundRobin(): Choose {
  const credit = new WeakMap<PoolServer, number>();
  return (usable) => {
    let best: PoolServer | undefined;
    let bestCredit = Number.NEGATIVE_INFINITY;
    for (const server of usable) {
      const gained = (credit.get(server) ?? 0) + server.server.weight;
      credit.set(server, gained);
      if (gained > bestCredit) [best, bestCredit] = [server, gained];
    }
    if (best !== undefined) credit.set(best, bestCredit - totalWeight(usable));
    return best;
  };
}

/** The smallest load per weight; equals take turns. */
function leastLoaded(): Choose {
  let turn = 0;
  return (usable) => {
    turn += 1;
    let best: PoolServer | undefined;
    for (let i = 0; i < usable.length; i++) {
      const server = usable[(turn + i) % usable.length];
      if (server !== undefined && (best === undefined || burden(server) < burden(best))) best = server;
    }
    return best;
  };
}

/** As it would be with one lane more, so that among idle servers the heaviest weight goes first. */
function burden(server: PoolServer): number {
  return (server.load + 1) / server.server.weight;
}

/** The same client goes to the same server while the same servers are up. */
function bySource(usable: readonly PoolServer[], clientAddress: string): PoolServer | undefined {
  return atWeight(usable, hash(clientAddress) % Math.max(totalWeight(usable), 1));
}

/** The less loaded of two drawn by weight ("the power of two choices", HAProxy's `random(2)`). */
function twoChoices(random: () => number): Choose {
  return (usable) => {
    const draw = () => atWeight(usable, random() * totalWeight(usable));
    const [one, other] = [draw(), draw()];
    if (one === undefined || other === undefined) return one;
    return burden(other) < burden(one) ? other : one;
  };
}

function atWeight(usable: readonly PoolServer[], point: number): PoolServer | undefined {
  let passed = 0;
  for (const server of usable) {
    passed += server.server.weight;
    if (point < passed) return server;
  }
  return usable.at(-1);
}

function totalWeight(usable: readonly PoolServer[]): number {
  return usable.reduce((sum, server) => sum + server.server.weight, 0);
}

/** FNV-1a, 32 bits, with a final mix: neighbouring addresses must not share their low bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}
