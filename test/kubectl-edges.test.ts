import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bundlePem, issueServerCertificate } from "../src/pki/index.ts";
import type { Sandbox } from "../src/sandbox/index.ts";
import { ADMIN_TOKEN, makeCa, startApi, type TestCa } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { type RunningGate, runGate } from "./support/gate.ts";
import { kubectlVersions } from "./support/kubectl.ts";
import { curl, newHome, runKubectl } from "./support/outsider.ts";

// What the table of kubectl's cases cannot say, because directly it cannot be: a connection made for another cluster,
// and a client that says itself who it is and where it comes from.

const HERE = "localhost";
const ELSEWHERE = "elsewhere.example.com";

let folder: Folder;
let ca: TestCa;
let here: Sandbox;
let elsewhere: Sandbox;
let gate: RunningGate;

before(async () => {
  folder = await temporaryFolder();
  ca = await makeCa(folder, "edges");
  here = await startApi(await issueServerCertificate(ca, { hosts: ["kubernetes"] }), ca);
  elsewhere = await startApi(await issueServerCertificate(ca, { hosts: ["kubernetes"] }), ca);
  const own = await issueServerCertificate(ca, { hosts: [HERE, ELSEWHERE] });
  const bundle = await folder.write("gate.pem", bundlePem(own));
  const server = (name: string, { port }: Sandbox) =>
    `backend ${name}\n    mode http\n    server one 127.0.0.1:${port} check ssl verify required ca-file ${ca.file} verifyhost kubernetes\n`;
  gate = await runGate(
    folder,
    (port) => `defaults
    mode http
    option httplog
    log stdout format raw local0
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
frontend outside
    bind 127.0.0.1:${port} ssl crt ${bundle} alpn h2,http/1.1
    use_backend here if { ssl_fc_sni -i ${HERE} }
    use_backend elsewhere if { ssl_fc_sni -i ${ELSEWHERE} }
${server("here", here)}${server("elsewhere", elsewhere)}`,
  );
});
after(async () => {
  await gate?.stop();
  await here?.close();
  await elsewhere?.close();
  await folder?.remove();
});

describe("a kubeconfig whose server and tls-server-name are two clusters", () => {
  const sentence = "this connection was made for another server name; connect again for this one";

  for (const version of kubectlVersions) {
    it(`kubectl ${version} prints why, with a warm and with a cold cache, and nothing is asked of either API`, async () => {
      const server = `https://${HERE}:${gate.port}`;
      const get = (tlsServerName: string, home: string) =>
        runKubectl(
          folder,
          {
            version,
            token: ADMIN_TOKEN,
            home,
            cluster: { server, "certificate-authority": ca.file, "tls-server-name": tlsServerName },
          },
          ...["get", "pods"],
        );
      const warm = await newHome(folder);
      assert.equal((await get(HERE, warm)).code, 0);
      const asked = here.requests.length;
      for (const home of [warm, await newHome(folder)]) {
        const printed = await get(ELSEWHERE, home);
        assert.deepEqual([printed.code, printed.stdout], [1, ""]);
        assert.match(printed.stderr, new RegExp(sentence));
      }
      assert.deepEqual([here.requests.length, elsewhere.requests.length], [asked, 0]);
      // Of an error on /api, kubectl with a cold cache shows only a plain text: that answer is a 502.
      await gate.wrote(
        / outside~ elsewhere\/\S+ \S+ 421 .* PR-- .*"GET https:\/\/localhost:\d+\/api\/v1\/.*\/pods/,
      );
      await gate.wrote(/ outside~ elsewhere\/\S+ \S+ 502 .* PR-- .*"GET https:\/\/localhost:\d+\/api\?/);
    });
  }
});

describe("a client cannot say who it is or where it comes from", () => {
  const FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "api.example.com",
    Forwarded: "for=6.6.6.6",
    "X-Real-Ip": "6.6.6.6",
    "X-Remote-User": "root",
    "X-Remote-Group": "system:masters",
    "X-Remote-Uid": "0",
    "X-Remote-Extra-Scopes": "all",
  };
  const forged = Object.entries(FORGED).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const EXEC = "/api/v1/namespaces/default/pods/web/exec?command=true&stdout=true";

  for (const { how, words, path, version } of [
    { how: "by HTTP/2", words: ["--http2"], path: "/version", version: "2.0" },
    { how: "by HTTP/1.1", words: ["--http1.1"], path: "/version", version: "1.1" },
    {
      how: "when it asks for an upgrade",
      words: ["--http1.1", "-X", "POST", "-H", "Connection: Upgrade", "-H", "Upgrade: SPDY/3.1"],
      path: EXEC,
      version: "1.1",
    },
  ]) {
    it(how, async () => {
      const { code, stderr } = await curl(
        ...[...words, ...forged, "-H", "X-Own: kept", "-H", "X-Forwarded-For: 7.7.7.7"],
        ...["--cacert", ca.file, "--resolve", `${HERE}:${gate.port}:127.0.0.1`],
        `https://${HERE}:${gate.port}${path}`,
      );
      assert.deepEqual([code, stderr], [0, ""]);
      const seen = here.requests.at(-1);
      assert.deepEqual([seen?.url, seen?.httpVersion], [path, version]);
      const told = seen?.headers.filter(([name]) => /^(x-|forwarded)/i.test(name)) ?? [];
      assert.deepEqual(
        told.map(([name, value]) => `${name.toLowerCase()}: ${value}`),
        ["x-own: kept", "x-forwarded-for: 127.0.0.1"],
      );
    });
  }
});
