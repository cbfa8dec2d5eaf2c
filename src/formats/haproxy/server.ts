import type { DraftCheck, DraftServer, DraftServerTls, Position } from "../../model/index.ts";
import { readServerAddress } from "./address.ts";
import type { Global } from "./global.ts";
import type { Line } from "./line.ts";
import { readParams, type ServerParams } from "./server-params.ts";

/** `server NAME ADDRESS:PORT [param...]` (manual §5.2); the keyword is already read. */
export function readServer(line: Line, inherited: ServerParams, global: Global): DraftServer | undefined {
  const errorsBefore = line.problems.errors;
  const name = line.expect(
    "the server's name",
    "server NAME ADDRESS:PORT, such as: server api1 10.0.0.1:6443 check ssl …",
  );
  const address = name && line.expect("the server's address", "server NAME ADDRESS:PORT");
  if (name === undefined || address === undefined) return undefined;
  if (!/^[\w.:-]+$/.test(name.value)) {
    line.problems.error(name.at, `"${name.value}" is no name for a server`, "letters, digits, and . : _ -");
  }
  const where = readServerAddress(line, address);
  const params = readParams(line, inherited, global);
  if (where === undefined) return undefined;
  return {
    name,
    complete: line.problems.errors === errorsBefore && params.incomplete !== true,
    host: { value: where.host, at: address.at },
    port: { value: where.port, at: address.at },
    ...(params.weight && { weight: params.weight }),
    ...(params.backup && { backup: params.backup }),
    ...(params.disabled && { disabled: params.disabled }),
    ...(params.connectionsMax && { connectionsMax: params.connectionsMax }),
    ...(params.ssl?.value && { tls: draftTls(params, params.ssl.at, global) }),
    ...(params.check?.value && { check: draftCheck(params) }),
  };
}

function draftTls(params: ServerParams, at: Position, { server, serverVerify }: Global): DraftServerTls {
  const verify = params.verify ?? serverVerify;
  const minVersion = params.minVersion ?? server.minVersion;
  const maxVersion = params.maxVersion ?? server.maxVersion;
  const ciphers = params.ciphers ?? server.ciphers;
  const cipherSuites = params.cipherSuites ?? server.cipherSuites;
  return {
    at,
    ...(verify && { verify }),
    ...(params.ca && { ca: params.ca }),
    ...(params.sni && { sni: params.sni }),
    ...(params.verifyHost && { verifyHost: params.verifyHost }),
    ...(params.alpn && { alpn: params.alpn }),
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    ...(ciphers && { ciphers }),
    ...(cipherSuites && { cipherSuites }),
    ...(params.certificate && { certificate: params.certificate }),
  };
}

/** Another port or address for the check drops the server's TLS unless `check-ssl` says otherwise (manual §5.2 `port`). */
function draftCheck(params: ServerParams): DraftCheck {
  const elsewhere = params.checkPort ?? params.checkHost;
  const tls = params.checkTls ?? (elsewhere && { value: false, at: elsewhere.at });
  return {
    ...(params.interMs && { interMs: params.interMs }),
    ...(params.fastInterMs && { fastInterMs: params.fastInterMs }),
    ...(params.downInterMs && { downInterMs: params.downInterMs }),
    ...(params.rise && { rise: params.rise }),
    ...(params.fall && { fall: params.fall }),
    ...(params.checkPort && { port: params.checkPort }),
    ...(params.checkHost && { host: params.checkHost }),
    ...(tls && { tls }),
    ...(params.checkSni && { sni: params.checkSni }),
  };
}
