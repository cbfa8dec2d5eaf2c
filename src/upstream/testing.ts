/** Helpers for this room's tests: certificates of every kind by openssl, servers on loopback, a pool's description. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tls from "node:tls";
import type { GateEvent, ServerChanged, ServerNoted } from "../events/index.ts";
import type { Backend, Check, Server, ServerTls } from "../model/index.ts";
import type { ServerTrust } from "./trust.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Order {
  readonly subject: string;
  /** Undefined: signed by itself. */
  readonly issuer?: Pair;
  /** `DNS:kubernetes,IP:10.0.0.1`; undefined: none. */
  readonly names?: string;
  readonly authority?: boolean;
  readonly usage?: string;
  readonly fromDays?: number;
  readonly untilDays?: number;
}

/** Issues certificates in a folder of its own; `close` removes it. */
export class Workshop {
  readonly #folder = mkdtempSync(join(tmpdir(), "postern-upstream-"));
  #count = 0;

  issue(order: Order): Pair {
    this.#count += 1;
    const path = (end: string) => join(this.#folder, `${this.#count}.${end}`);
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(["req", "-new", ...curve, "-keyout", path("key"), "-out", path("csr"), "-subj", order.subject]);
    writeFileSync(path("conf"), this.#configuration(order, path("db")));
    writeFileSync(path("db"), "");
    const signer: string[] = [];
    if (order.issuer === undefined) signer.push("-selfsign", "-keyfile", path("key"));
    else {
      writeFileSync(path("ca"), order.issuer.cert);
      writeFileSync(path("ca.key"), order.issuer.key);
      signer.push("-cert", path("ca"), "-keyfile", path("ca.key"));
    }
    const period = ["-startdate", day(order.fromDays ?? -1), "-enddate", day(order.untilDays ?? 30)];
    const where = ["-config", path("conf"), "-in", path("csr"), "-out", path("crt")];
    openssl(["ca", "-batch", "-notext", ...where, ...signer, ...period]);
    return { cert: readFileSync(path("crt"), "latin1"), key: readFileSync(path("key"), "latin1") };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #configuration(order: Order, database: string): string {
    const extensions = [
      `basicConstraints = critical, CA:${order.authority ? "TRUE" : "FALSE"}`,
      ...(order.names === undefined ? [] : [`subjectAltName = ${order.names}`]),
      ...(order.usage === undefined ? [] : [`extendedKeyUsage = ${order.usage}`]),
    ];
    return `[ca]
default_ca = house
[house]
new_certs_dir = ${this.#folder}
database = ${database}
rand_serial = yes
default_md = sha256
policy = any
email_in_dn = no
unique_subject = no
x509_extensions = extensions
[any]
organizationName = optional
commonName = optional
[extensions]
${extensions.join("\n")}
`;
  }
}

function openssl(words: readonly string[]): void {
  execFileSync("openssl", words, { stdio: ["ignore", "ignore", "pipe"] });
}

/** `20261124224615Z`. */
function day(days: number): string {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString();
  return `${iso.slice(0, 19).replace(/[-:T]/g, "")}Z`;
}

/** A server on 127.0.0.1 that is really closed at the end, with its connections. */
export interface Loopback {
  readonly port: number;
  /** Connections seen so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  close(): Promise<void>;
}

export async function tlsServer(
  options: tls.TlsOptions,
  talk?: (socket: tls.TLSSocket) => void,
  port?: number,
): Promise<Loopback & { renew(pair: Pair): void }> {
  const server = tls.createServer(options, (socket) => {
    socket.on("error", () => {});
    talk?.(socket);
    socket.resume();
  });
  return Object.assign(await loopback(server, port), {
    renew: (pair: Pair) => server.setSecureContext(pair),
  });
}

export function tcpServer(talk?: (socket: net.Socket) => void): Promise<Loopback> {
  return loopback(
    net.createServer((socket) => {
      talk?.(socket);
      socket.resume(); // a paused socket does not notice that its peer has left
    }),
  );
}

export async function loopback(server: net.Server, port = 0): Promise<Loopback> {
  const open = new Set<net.Socket>();
  let accepted = 0;
  server.on("tlsClientError", () => {});
  server.on("connection", (socket: net.Socket) => {
    accepted += 1;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : 0,
    get accepted() {
      return accepted;
    },
    get open() {
      return open.size;
    },
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A port of 127.0.0.1 where nothing listens. */
export async function closedPort(): Promise<number> {
  const server = await tcpServer();
  await server.close();
  return server.port;
}

const AT = { file: "haproxy.cfg", line: 1, column: 1 };

export const SERVER_TLS: ServerTls = {
  verify: "required",
  alpn: ["h2", "http/1.1"],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
};

/** Quick while something changes; the interval, which limits each check as well, leaves room for a busy machine. */
export const CHECK: Check = { interMs: 200, fastInterMs: 20, downInterMs: 20, rise: 2, fall: 3, tls: false };

export function server(name: string, port: number, more: Partial<Server> = {}): Server {
  return { name, at: AT, host: "127.0.0.1", port, weight: 1, backup: false, disabled: false, ...more };
}

export function backend(servers: readonly Server[], more: Partial<Backend> = {}): Backend {
  return {
    name: "api",
    at: AT,
    mode: "http",
    balance: "roundrobin",
    servers,
    timeouts: { connectMs: 1000 },
    check: { kind: "connect" },
    retries: 3,
    kubernetes: true,
    forwardFor: true,
    ...more,
  };
}

export function trust(ca: Pair | undefined, more: Partial<ServerTrust> = {}): ServerTrust {
  return {
    context: tls.createSecureContext(ca === undefined ? {} : { ca: ca.cert }),
    verify: "required",
    caPath: "/etc/gate/ca.crt",
    caNames: ["O=House, CN=house ca"],
    ...more,
  };
}

/** Collects what is told, and waits for it. */
export class Events {
  readonly all: (ServerChanged | ServerNoted)[] = [];
  #wake: (() => void) | undefined;

  readonly tell = (event: GateEvent): void => {
    if (event.kind !== "server" && event.kind !== "server-note") return;
    this.all.push(event);
    this.#wake?.();
  };

  /** The next event, from a position on. */
  async at(index: number): Promise<ServerChanged | ServerNoted> {
    for (;;) {
      const event = this.all[index];
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Waits until something holds; the test's own timeout ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
