import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft, DraftBackend, DraftFrontend, DraftServer, Mends } from "./draft.ts";
import { located, type Position } from "./position.ts";
import { settle } from "./settle.ts";

/** Drafts that no haproxy.cfg can say; what a haproxy.cfg can say is held by the cases of formats/haproxy. */

const at: Position = { file: "postern.yaml", line: 1, column: 1 };
const say = () => "mend";
const mends: Mends = {
  certificateMissing: "mend",
  clientCaMissing: "mend",
  clientCaUnused: "mend",
  serverCaMissing: "mend",
  serverUnverified: say,
  serverNameUnverified: say,
  unknownNamesServed: say,
  leadsNowhere: "mend",
  noBind: "mend",
  noServers: "mend",
  plainBind: "mend",
  plainServer: "mend",
  nameNeedsTls: "mend",
  tlsTwice: "mend",
  modesDiffer: "mend",
  timeoutMissing: say,
};

const server: DraftServer = {
  name: located("s1", at),
  complete: true,
  host: located("10.0.0.1", at),
  port: located(6443, at),
};

const time = located(1000, at);

function backend(name: string, mode: "http" | "tcp", part: Partial<DraftServer> = {}): DraftBackend {
  return {
    name: located(name, at),
    complete: true,
    mode: located(mode, at),
    servers: [{ ...server, ...part }],
    timeouts: { connectMs: time, serverMs: time },
  };
}

const tls = { at, ca: located({ kind: "system" } as const, at), verifyHost: located("kubernetes", at) };

const frontend: DraftFrontend = {
  name: located("gate", at),
  complete: true,
  mode: located("http", at),
  binds: [
    {
      at,
      written: ":6443",
      complete: true,
      address: { kind: "tcp", host: "0.0.0.0", port: 6443 },
      tls: { at, certificates: [{ path: "gate.pem", at }] },
    },
  ],
  routes: [],
  timeouts: { clientMs: time },
  log: { targets: [], format: located("json", at) },
};

function draft(part: Partial<DraftFrontend>, ...backends: DraftBackend[]): Draft {
  return { complete: true, mends, global: {}, frontends: [{ ...frontend, ...part }], backends };
}

const site = {
  at,
  names: [located({ kind: "exact", value: "site.example.com" } as const, at)],
  except: [],
  negate: false,
  backend: located("site", at),
};

test("TLS that is passed on may stand beside TLS that is ended, in one frontend", () => {
  const own = { ...site, backend: located("own", at), names: [located({ kind: "any" } as const, at)] };
  const settled = settle(
    draft(
      {
        routes: [
          { ...site, tls: "passthrough" },
          { ...own, tls: "terminate" },
        ],
      },
      backend("site", "tcp"),
      backend("own", "http", { tls }),
    ),
  );
  assert.deepEqual(settled.problems, []);
  assert.deepEqual(
    settled.configuration?.frontends[0]?.routes.map((route) => route.tls),
    ["passthrough", "terminate"],
  );
});

test("TLS that is passed on cannot be read by a backend of mode http", () => {
  const settled = settle(
    draft({ routes: [{ ...site, tls: "passthrough" }] }, backend("site", "http", { tls })),
  );
  assert.equal(settled.configuration, undefined);
  assert.match(settled.problems.find(({ severity }) => severity === "error")?.message ?? "", /cannot read/);
});

test("a draft that was not understood in full never becomes a configuration, though it is checked", () => {
  const settled = settle({ ...draft({ defaultBackend: located("nope", at) }), complete: false });
  assert.equal(settled.configuration, undefined);
  assert.match(settled.problems[0]?.message ?? "", /no backend "nope"/);
});

test("what is missing in a part that was not understood is not complained about", () => {
  const { problems } = settle(draft({ complete: false, binds: [], timeouts: {} }));
  assert.deepEqual(problems, []);
});

test("an empty draft is an empty configuration", () => {
  const settled = settle({ complete: true, mends, global: {}, frontends: [], backends: [] });
  assert.deepEqual(settled.problems, []);
  assert.equal(settled.configuration?.frontends.length, 0);
});
