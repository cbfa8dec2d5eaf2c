import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bundlePem, type Issued, issueServerCertificate } from "../src/pki/index.ts";
import type { Sandbox } from "../src/sandbox/index.ts";
import {
  ADMIN_TOKEN,
  issueExpired,
  issueWithoutNames,
  makeCa,
  startApi,
  type TestCa,
} from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type RunningGate, runGate } from "./support/gate.ts";
import { kubectlVersions } from "./support/kubectl.ts";
import { type ClusterEntry, curl, runKubectl } from "./support/outsider.ts";
import { type Edit, FORBIDDEN, makeRecipeCertificate, recipeConf } from "./support/recipe.ts";
import { type Syslog, startSyslog } from "./support/syslog.ts";

// The recipe's two examples as its page has them, done with Postern: openssl's certificate, the page's haproxy.conf, curl
// and real kubectl.

const API_NAME = "apiserver.kubernetes.l4lb.thisdcos.directory";
const PODS = /^NAME +READY +STATUS +RESTARTS +AGE\nweb +1\/1 +Running +0 +\S+\n$/;

let folder: Folder;
let ca: TestCa;
let other: TestCa;
let api: Sandbox;
let syslog: Syslog;

before(async () => {
  folder = await temporaryFolder();
  makeRecipeCertificate(folder);
  ca = await makeCa(folder, "kubernetes");
  other = await makeCa(folder, "another house");
  api = await startApi(await issueServerCertificate(ca, { hosts: [API_NAME, "127.0.0.1"] }), ca);
  syslog = await startSyslog();
});
after(async () => {
  await api?.close();
  syslog?.close();
  await folder?.remove();
});

/** The recipe's file in front of an API, with the syslog of this test. */
function runRecipe(vip: Sandbox, ...edits: readonly Edit[]): Promise<RunningGate> {
  const places = { folder: folder.path, vip: `127.0.0.1:${vip.port}` };
  const log: Edit = ["log 127.0.0.1 local0", `log 127.0.0.1:${syslog.port} local0`];
  return runGate(folder, (port) => recipeConf({ ...places, port }, log, ...edits));
}

function unverified(gate: RunningGate): ClusterEntry {
  return { server: `https://127.0.0.1:${gate.port}`, "insecure-skip-tls-verify": true };
}

describe("example 1, word for word", () => {
  let gate: RunningGate;

  before(async () => {
    const vip = `127.0.0.1:${api.port}`;
    gate = await runGate(folder, (port) => recipeConf({ port, folder: folder.path, vip }));
  });
  after(() => gate?.stop());

  it("curl -k prints the page's 403 Status", async () => {
    assert.deepEqual(await curl("-k", `https://127.0.0.1:${gate.port}`), {
      code: 0,
      stdout: FORBIDDEN,
      stderr: "",
    });
  });

  for (const version of kubectlVersions) {
    it(`kubectl ${version} without TLS verification lists the pods`, async () => {
      const printed = await runKubectl(
        folder,
        { version, cluster: unverified(gate), token: ADMIN_TOKEN },
        ...["get", "pods"],
      );
      assert.match(printed.stdout, PODS);
      assert.deepEqual(printed, { code: 0, stdout: printed.stdout, stderr: "" });
    });
  }

  it("warns of each of the page's faults, with its mend, and says where it listens", () => {
    const said = gate.stderr();
    for (const [what, mend] of [
      [/"debug" was removed in HAProxy 2\.3/, /remove it/],
      [/without alpn/, /write "alpn h2,http\/1\.1"/],
      [/CN=\*, without subject alternative names/, /postern cert self-signed --host/],
      [/signed with SHA-1/, /SHA-256/],
      [/the server's certificate is not verified/, /write "verify required ca-file/],
      [/HAProxy keeps the old process/, /add "hard-stop-after 10m"/],
    ] as const) {
      const lines = said.split("\n");
      const at = lines.findIndex((line) => what.test(line));
      assert.match(lines[at] ?? "", /haproxy\.conf:\d+:\d+: warning: /, `${what} in:\n${said}`);
      assert.match(lines[at + 1] ?? "", mend);
    }
    assert.match(
      said,
      new RegExp(`^listening on 0\\.0\\.0\\.0:${gate.port} \\(TLS\\), frontend frontend_all$`, "m"),
    );
  });

  it("shows request heads because of debug, and no token in them", async () => {
    await curl("-k", "-H", `Authorization: Bearer ${ADMIN_TOKEN}`, `https://127.0.0.1:${gate.port}/version`);
    await gate.wrote(/:path: \/version/);
    assert.match(gate.stderr(), /authorization: <redacted>/);
    assert.equal(gate.output().includes(ADMIN_TOKEN), false);
  });
});

describe("example 1, its log", () => {
  it("tells each request to the syslog of the file, as httplog does", async () => {
    const gate = await runRecipe(api);
    try {
      await curl("-k", "--http1.1", `https://127.0.0.1:${gate.port}/`);
      const line = await syslog.until(/"GET \/ HTTP\/1\.1"/);
      assert.match(
        line,
        /^<134>\w{3} [ \d]\d \d\d:\d\d:\d\d haproxy\[\d+\]: 127\.0\.0\.1:\d+ \[.+\] frontend_all~ backend_kube_apiserver\/kube-apiserver 0\/0\/\d+\/\d+\/\d+ 403 \d+ - - ---- 1\/1\/0\/0\/0 0\/0 "GET \/ HTTP\/1\.1"\n$/,
      );
    } finally {
      await gate.stop();
    }
  });
});

interface TrustCase {
  readonly rule: string;
  /** The API server's certificate. */
  readonly shows: () => Promise<Issued>;
  readonly verify: () => string;
  /** In one line of the log; a name is quoted by ' inside an info="…", else by ". */
  readonly log: RegExp;
  /** What kubectl prints. */
  readonly sentence: string;
}

const NOT_TRUSTED = "the gate does not trust the API server's certificate: ";

const UNTRUSTED: readonly TrustCase[] = [
  {
    rule: "another CA",
    shows: () => issueServerCertificate(ca, { hosts: [API_NAME] }),
    verify: () => `verify required ca-file ${other.file}`,
    log: /the certificate of 127\.0\.0\.1:\d+ \(.CN=apiserver\.kubernetes\.l4lb\.thisdcos\.directory.\) is not signed by the configured authority .CN=another house. \(\S+another-house\.crt\) but by another one, .CN=kubernetes.: use that authority's certificate as ca-file/,
    sentence: `${NOT_TRUSTED}it is not signed by the configured authority`,
  },
  {
    rule: "a wrong name",
    shows: () => issueServerCertificate(ca, { hosts: [API_NAME] }),
    verify: () => `verify required ca-file ${ca.file} verifyhost api.example.com`,
    log: /the certificate of 127\.0\.0\.1:\d+ is not for .api\.example\.com. but for apiserver\.kubernetes\.l4lb\.thisdcos\.directory: set verifyhost to one of these/,
    sentence: `${NOT_TRUSTED}it is made for another name`,
  },
  {
    rule: "a common name only",
    shows: () => issueWithoutNames(folder, ca, API_NAME),
    verify: () => `verify required ca-file ${ca.file} verifyhost ${API_NAME}`,
    log: /has a common name only \(.CN=apiserver\.kubernetes\.l4lb\.thisdcos\.directory.\), no subject alternative names, so it cannot be verified as .apiserver\.kubernetes\.l4lb\.thisdcos\.directory.: have it issued with subjectAltName/,
    sentence: `${NOT_TRUSTED}it has a common name only, no subject alternative names`,
  },
  {
    rule: "an expired certificate",
    shows: () => issueExpired(ca, [API_NAME]),
    verify: () => `verify required ca-file ${ca.file}`,
    log: /the certificate .CN=apiserver\.kubernetes\.l4lb\.thisdcos\.directory. of 127\.0\.0\.1:\d+ expired on \d{4}-\d\d-\d\d \d\d:\d\d: renew it on the server/,
    sentence: `${NOT_TRUSTED}it has expired`,
  },
];

describe("example 2, step 1: the API server is verified", () => {
  it("the right CA: kubectl works", async () => {
    const gate = await runRecipe(api, ["verify none", `verify required ca-file ${ca.file}`]);
    try {
      for (const version of kubectlVersions) {
        const printed = await runKubectl(
          folder,
          { version, cluster: unverified(gate), token: ADMIN_TOKEN },
          ...["get", "pods"],
        );
        assert.deepEqual([printed.code, printed.stderr], [0, ""]);
        assert.match(printed.stdout, PODS);
      }
      assert.match(
        gate.stderr(),
        /warning: only the chain is verified, not the name: any certificate of that CA is taken/,
      );
    } finally {
      await gate.stop();
    }
  });

  for (const { rule, shows, verify, log, sentence } of UNTRUSTED) {
    // Once the check has seen it, and where nothing checks and the lane itself finds out.
    for (const checked of [true, false]) {
      it(`${rule}: the log tells, kubectl prints the sentence (${checked ? "check" : "no check"})`, async (t) => {
        const untrusted = await startApi(await shows(), ca);
        t.after(() => untrusted.close());
        const edits: Edit[] = [["verify none", verify()]];
        if (!checked) edits.push([" check ssl ", " ssl "]);
        const from = syslog.lines.length;
        const gate = await runRecipe(untrusted, ...edits);
        t.after(() => gate.stop());
        if (checked) await gate.wrote(/^postern: server backend_kube_apiserver\/kube-apiserver is down: /m);
        for (const version of kubectlVersions) {
          const printed = await runKubectl(
            folder,
            { version, cluster: unverified(gate), token: ADMIN_TOKEN },
            ...["get", "pods"],
          );
          assert.deepEqual([printed.code, printed.stdout], [1, ""]);
          assert.equal(
            printed.stderr.trimEnd().split("\n").at(-1),
            `Error from server (InternalError): an error on the server ("${sentence}") has prevented the request from succeeding`,
          );
        }
        await syslog.until(log, from);
        // Once, however many ask: a line a request would drown it.
        assert.equal(syslog.lines.slice(from).filter((line) => log.test(line)).length, 1);
        assert.equal(untrusted.requests.length, 0, "nothing may be sent to a server that is not trusted");
      });
    }
  }
});

describe("example 2, steps 2 and 3: a domain certificate, several names", () => {
  const HOSTS = ["kube-apiserver.example.com", "second.example.com", "third.example.com"] as const;
  const [FIRST, SECOND, THIRD] = HOSTS;
  let second: Sandbox;
  let gate: RunningGate;
  let strict: RunningGate;
  let gateCa: TestCa;

  before(async () => {
    gateCa = await makeCa(folder, "gate CA");
    const three = await issueServerCertificate(gateCa, { hosts: [...HOSTS] });
    const two = await issueServerCertificate(gateCa, { hosts: [FIRST, SECOND] });
    await folder.write("three-names.pem", bundlePem(three));
    await folder.write("two-names.pem", bundlePem(two));
    await folder.write("ca.pem", gateCa.certificatePem);
    second = await startApi(await issueServerCertificate(other, { hosts: ["second"] }), other);
    gate = await runNamed("three-names.pem ca-file ca.pem");
    strict = await runNamed("two-names.pem strict-sni");
  });
  after(async () => {
    await gate?.stop();
    await strict?.stop();
    await second?.close();
  });

  /** The page's file with its third step, a second service, and no backend for other names. */
  function runNamed(crt: string): Promise<RunningGate> {
    const server = `server kube-apiserver 127.0.0.1:${api.port} check ssl`;
    return runRecipe(
      api,
      ["/haproxy.pem", `/${crt.replace(" ca-file ", ` ca-file ${folder.path}/`)}`],
      [
        "    default_backend backend_kube_apiserver\n",
        `    use_backend backend_kube_apiserver if { ssl_fc_sni ${FIRST} }\n` +
          `    use_backend backend_second if { ssl_fc_sni ${SECOND} }\n`,
      ],
      [
        `${server} verify none\n`,
        `${server} verify required ca-file ${ca.file} verifyhost ${API_NAME}\n\n` +
          `backend backend_second\n    mode http\n` +
          `    server second 127.0.0.1:${second.port} check ssl verify required ca-file ${other.file} verifyhost second\n`,
      ],
    );
  }

  function curlNamed(at: RunningGate, name: string, path: string) {
    return curl(
      ...["--cacert", folder.file("ca.pem"), "--resolve", `${name}:${at.port}:127.0.0.1`],
      `https://${name}:${at.port}${path}`,
    );
  }

  function named(at: RunningGate, name: string): ClusterEntry {
    return {
      server: `https://127.0.0.1:${at.port}`,
      "certificate-authority": folder.file("ca.pem"),
      "tls-server-name": name,
    };
  }

  const asked = (sandbox: Sandbox, path: string) => sandbox.requests.filter(({ url }) => url === path).length;

  it("curl with the private CA verifies the gate, and each name reaches its backend", async () => {
    for (const [name, path, reaches, leaves] of [
      [FIRST, "/livez?first", api, second],
      [SECOND, "/livez?second", second, api],
      [FIRST.toUpperCase(), "/livez?case", api, second],
    ] as const) {
      assert.deepEqual(await curlNamed(gate, name, path), { code: 0, stdout: "ok", stderr: "" });
      assert.deepEqual([asked(reaches, path), asked(leaves, path)], [1, 0], name);
    }
  });

  it("curl without the CA refuses the gate's certificate", async () => {
    const { code } = await curl(
      ...["--resolve", `${FIRST}:${gate.port}:127.0.0.1`, `https://${FIRST}:${gate.port}/livez`],
    );
    assert.equal(code, 60);
  });

  it("curl: a third name is answered 503, with a Status that says why", async () => {
    const { code, stdout } = await curlNamed(gate, THIRD, "/livez");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "no cluster is configured at this gate for the name you used",
      reason: "ServiceUnavailable",
      details: {},
      code: 503,
    });
  });

  it("curl: with strict-sni a third name is refused by TLS", async () => {
    const { code, stderr } = await curlNamed(strict, THIRD, "/livez");
    assert.equal(code, 35);
    assert.match(stderr, /unrecognized name/);
    assert.equal((await curlNamed(strict, SECOND, "/livez")).stdout, "ok");
    await syslog.until(
      /frontend_all\/1: no certificate for this server name \(no certificate for third\.example\.com\)/,
    );
  });

  for (const version of kubectlVersions) {
    const get = (cluster: ClusterEntry) =>
      runKubectl(folder, { version, cluster, token: ADMIN_TOKEN }, "get", "pods");

    it(`kubectl ${version} with the CA: each name reaches its backend`, async () => {
      for (const [name, reaches, leaves] of [
        [FIRST, api, second],
        [SECOND, second, api],
      ] as const) {
        const counts = () => [reaches.requests.length, leaves.requests.length] as const;
        const [there = 0, elsewhere] = counts();
        const printed = await get(named(gate, name));
        assert.deepEqual([printed.code, printed.stderr], [0, ""]);
        assert.match(printed.stdout, PODS);
        assert.ok(counts()[0] > there);
        assert.equal(counts()[1], elsewhere);
      }
    });

    it(`kubectl ${version}: a third name is refused with a sentence`, async () => {
      const printed = await get(named(gate, THIRD));
      assert.deepEqual([printed.code, printed.stdout], [1, ""]);
      assert.equal(
        printed.stderr.trimEnd().split("\n").at(-1),
        'Error from server (InternalError): an error on the server ("no cluster is configured at this gate for the name you used") has prevented the request from succeeding',
      );
    });

    it(`kubectl ${version}: with strict-sni a third name is refused by TLS`, async () => {
      const printed = await get(named(strict, THIRD));
      assert.deepEqual([printed.code, printed.stdout], [1, ""]);
      assert.match(
        printed.stderr.trimEnd().split("\n").at(-1) ?? "",
        /^Unable to connect to the server: .*remote error: tls: unrecognized name$/,
      );
    });
  }
});
