import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bundlePem, certificateFacts, kubectlSays, selfSigned } from "./index.ts";
import { openssl, scratch } from "./testing.ts";

const folder = scratch();
const KUBECTL = fileURLToPath(new URL("../../../test/kubectl/bin/kubectl-1.35", import.meta.url));

function opensslBundle(subject: string, alternatives?: string): string {
  const names = alternatives === undefined ? [] : ["-addext", `subjectAltName=${alternatives}`];
  return openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", "-", "-subj", subject, ...names);
}

async function ourBundle(...request: Parameters<typeof selfSigned>): Promise<string> {
  return bundlePem(await selfSigned(...request));
}

const bundles: { name: string; bundle: () => string | Promise<string> }[] = [
  { name: "of the recipe, CN=*", bundle: () => opensslBundle("/C=US/CN=*") },
  { name: "with a common name only", bundle: () => opensslBundle("/CN=localhost") },
  { name: "for another address", bundle: () => opensslBundle("/CN=localhost", "IP:127.0.0.2") },
  { name: "for other names", bundle: () => opensslBundle("/CN=localhost", "DNS:a.example.com,DNS:b") },
  {
    name: "for its host, by name and address",
    bundle: () => ourBundle({ hosts: ["localhost", "127.0.0.1"] }),
  },
  {
    name: "that has expired",
    bundle: () =>
      ourBundle({ hosts: ["localhost", "127.0.0.1"], days: 5, notBefore: new Date("2020-01-01") }),
  },
  {
    name: "of the future",
    bundle: () =>
      ourBundle({ hosts: ["localhost", "127.0.0.1"], days: 5, notBefore: new Date("2190-01-01") }),
  },
];

for (const { name, bundle } of bundles) {
  test(`tells of a trusted certificate ${name} what kubectl tells`, async () => {
    const pem = await bundle();
    const certificate = new X509Certificate(pem);
    const ca = folder.write("ca.crt", certificate.toString());
    const server = createServer({ cert: pem, key: pem }, (_request, response) => response.end("served"));
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      for (const host of ["localhost", "127.0.0.1"]) {
        const told = withoutNow(await kubectl(`https://${host}:${port}`, ca));
        const ours = kubectlSays(certificateFacts(certificate), host);
        if (ours === undefined) assert.equal(told, "served");
        else assert.ok(told.endsWith(withoutNow(ours)), `kubectl: ${told}\nours: ${ours}`);
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
}

test("CN=* is no legacy name for a host with dots: Go finds no name at all", async () => {
  const facts = certificateFacts(new X509Certificate(opensslBundle("/CN=*")));
  assert.equal(
    kubectlSays(facts, "kube.example.com"),
    "x509: certificate is not valid for any names, but wanted to match kube.example.com",
  );
});

/** What it prints on either stream. */
function kubectl(server: string, ca: string): Promise<string> {
  // With a token and without a terminal, or it would ask for a user name.
  const args = ["--kubeconfig=/dev/null", "--token=x", "--certificate-authority", ca, "--server", server];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_PROXY: "*", no_proxy: "*" };
    const child = execFile(KUBECTL, [...args, "get", "--raw", "/"], { env }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code === "string")
        reject(error); // no such program
      else resolve(`${stdout}${stderr}`.trim());
    });
    child.stdin?.end();
  });
}

function withoutNow(text: string): string {
  return text.replace(/current time \S+/, "current time NOW");
}
