import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { mastersGroup, type Sandbox, startSandbox, viewersGroup } from "../src/sandbox/index.ts";
import { kubectlVersions, type Seat, takeSeat } from "./support/kubectl.ts";
import { casesFor } from "./support/kubectl-cases.ts";
import { checkCase, runCase } from "./support/kubectl-run.ts";
import { makeAuthority } from "./support/kubectl-tls.ts";

// Real kubectl directly against the sandbox: first with nothing remembered in any run, then with what the runs before
// it have learnt of the server.

const authority = makeAuthority();

describe("real kubectl does its work on the sandbox", { concurrency: 2 }, () => {
  for (const version of kubectlVersions) {
    describe(`kubectl ${version}`, { concurrency: 1 }, () => {
      const folder = mkdtempSync(join(tmpdir(), "postern-kubectl-"));
      let sandbox: Sandbox;
      let seat: Seat;

      before(async () => {
        sandbox = await startSandbox({
          tls: authority.server,
          ca: authority.ca,
          clientCa: authority.ca,
          logIntervalMs: 100,
          tokens: {
            "admin-token": { name: "admin", groups: [mastersGroup] },
            "viewer-token": { name: "system:serviceaccount:default:robot", groups: [viewersGroup] },
          },
        });
        seat = await takeSeat({
          version,
          server: sandbox.url,
          ca: authority.ca,
          folder,
          users: {
            admin: { token: "admin-token" },
            viewer: { token: "viewer-token" },
            certificate: authority.admin,
            stranger: { token: "unknown-token" },
          },
        });
      });
      after(async () => {
        await sandbox.close();
        rmSync(folder, { recursive: true, force: true });
      });

      for (const cache of ["cold", "warm"] as const) {
        for (const given of casesFor(version)) {
          it(`${given.name} (${cache})`, async () => {
            const home = cache === "warm" ? join(folder, "home") : mkdtempSync(join(folder, "cold-"));
            checkCase(given, await runCase(seat, given, home));
          });
        }
      }
    });
  }
});
