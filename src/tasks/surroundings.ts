import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Bind, Configuration, Diagnostic } from "../model/index.ts";
import { listen } from "../socket/index.ts";

/**
 * What only this machine can say of a configuration: ports that are taken, names that do not resolve. These are
 * warnings: the gate itself may hold the port, and a name may resolve by the time it runs.
 */
export async function checkSurroundings(configuration: Configuration): Promise<readonly Diagnostic[]> {
  const binds = configuration.frontends.flatMap((frontend) => frontend.binds);
  const servers = [...configuration.backends.values()].flatMap((backend) => backend.servers);
  const found = await Promise.all([
    ...binds.map((bind) => checkPort(bind)),
    ...servers.map((server) => checkName(server.host, server.at)),
  ]);
  return found.filter((problem) => problem !== undefined);
}

async function checkPort(bind: Bind): Promise<Diagnostic | undefined> {
  const { address } = bind;
  if (address.kind !== "tcp" || address.port === 0) return undefined;
  try {
    const listener = await listen({ address, onAccept: (raw) => raw.destroy(), onError() {} });
    listener.close();
    return undefined;
  } catch (error) {
    return portProblem(bind, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

function portProblem(bind: Bind, code: string): Diagnostic {
  const at = { severity: "warning", at: bind.at } as const;
  switch (code) {
    case "EADDRINUSE":
      return {
        ...at,
        message: `${bind.written} is in use by another process`,
        hint: "fine if that is this gate, running already; else stop the other one or choose another port",
      };
    case "EACCES":
      return {
        ...at,
        message: `${bind.written} needs privileges that this user does not have`,
        hint: "ports below 1024 need root or CAP_NET_BIND_SERVICE",
      };
    case "EADDRNOTAVAIL":
      return { ...at, message: `this machine has no address for ${bind.written}` };
    default:
      return { ...at, message: `cannot listen on ${bind.written}: ${code}` };
  }
}

async function checkName(host: string, at: Diagnostic["at"]): Promise<Diagnostic | undefined> {
  if (isIP(host) !== 0) return undefined;
  try {
    await lookup(host);
    return undefined;
  } catch (error) {
    return {
      severity: "warning",
      at,
      message: `the server name ${host} does not resolve on this machine (${(error as NodeJS.ErrnoException).code})`,
      hint: "the gate starts all the same, holds this server down and looks again",
    };
  }
}
