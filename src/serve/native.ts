import { openGate } from "../gate/index.ts";
import type { Backend, Configuration, Frontend } from "../model/index.ts";
import { createLogging, type LoggingOptions } from "../observe/index.ts";
import type { Materials } from "../pki/index.ts";
import { type Guard, matchAuthority, refusePathTricks } from "../policy/index.ts";
import { createPool, type Pool } from "../upstream/index.ts";
import type { Engine } from "./engine.ts";

export interface NativeOptions {
  readonly configuration: Configuration;
  readonly materials: Materials;
  /** Where lines go and under which process id; given by whoever owns the terminal. */
  readonly output: Pick<LoggingOptions, "stdout" | "stderr" | "pid" | "onProblem">;
}

/**
 * Starts the native engine: logs, pools with their checks, then the gate.
 * @throws BindError when an address cannot be had; nothing is left running then
 */
export async function startNative(options: NativeOptions): Promise<Engine> {
  const { configuration, materials } = options;
  const logging = createLogging({ ...options.output, configuration });
  const pools = new Map<string, Pool>();
  for (const backend of configuration.backends.values()) {
    pools.set(
      backend.name,
      createPool({ backend, trustOf: (server) => materials.servers.get(server), tell: logging.tell }),
    );
  }
  const stopPools = () => {
    for (const pool of pools.values()) pool.stop();
  };
  try {
    const gate = await openGate({
      configuration,
      pools,
      tell: logging.tell,
      contextFor: (bind, serverName) => materials.binds.get(bind)?.contextFor(serverName),
      guardsFor,
    });
    for (const pool of pools.values()) pool.start();
    return {
      addresses: gate.addresses,
      get openLanes() {
        return gate.openLanes;
      },
      async stop(graceMs) {
        await Promise.race([gate.drain(), wait(graceMs)]);
        gate.close("stopping");
        stopPools();
        await logging.close();
      },
    };
  } catch (error) {
    stopPools();
    await logging.close();
    throw error;
  }
}

/** What a request must pass before it is forwarded, in this order. */
function guardsFor(frontend: Frontend, backend: Backend): readonly Guard[] {
  const guards: Guard[] = [matchAuthority(frontend)];
  if (backend.kubernetes) guards.push(refusePathTricks);
  return guards;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
