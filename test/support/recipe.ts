import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { Folder } from "./folder.ts";

/** "Exposing the Kubernetes API" of the DC/OS Kubernetes documentation, word for word. */

/** Example 1, step 1; run by a shell in the folder where haproxy.pem shall stand. */
const CERTIFICATE_COMMANDS = `
openssl genrsa 2048 > haproxy-key.pem
openssl req -new -x509 -nodes -sha1 -days 3650 -key haproxy-key.pem \\
    -subj "/C=US/ST=CA/L=SF/O=Mesosphere/OU=dcos-kubernetes/CN=*" > haproxy-crt.pem
cat haproxy-crt.pem haproxy-key.pem > haproxy.pem
`;

/** Example 1, step 2. */
const HAPROXY_CONF = `global
    log 127.0.0.1 local0
    # Sets the maximum size of the Diffie-Hellman parameters used for generating
    # the ephemeral/temporary Diffie-Hellman key in case of DHE key exchange.
    tune.ssl.default-dh-param 2048
    # Enables debug mode which dumps to stdout all exchanges.
    # This should be disabled in production, as tokens will also be logged.
    debug

defaults
    log global
    mode http
    option httplog
    option dontlognull
    # Set appropriate values for timeouts. This is important so that calls such
    # as "kubectl exec" or "kubectl logs -f" do not exit prematurely due to
    # inactivity in the connection.
    timeout connect 10s
    timeout client 86400s
    timeout server 86400s
    timeout tunnel 86400s

frontend frontend_all
    bind :6443 ssl crt /haproxy/haproxy.pem
    mode http
    default_backend backend_kube_apiserver

backend backend_kube_apiserver
    mode http
    balance leastconn
    server kube-apiserver apiserver.<SERVICE_NAME>.l4lb.thisdcos.directory:6443 check ssl verify none
`;

/** What `curl -k https://<ip-of-public-agent>:6443` prints behind it. */
export const FORBIDDEN = `{
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {

  },
  "status": "Failure",
  "message": "forbidden: User \\"system:anonymous\\" cannot get path \\"/\\"",
  "reason": "Forbidden",
  "details": {

  },
  "code": 403
}
`;

/** Makes haproxy.pem. */
export function makeRecipeCertificate(folder: Folder): void {
  execFileSync("sh", ["-ec", CERTIFICATE_COMMANDS], {
    cwd: folder.path,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

export interface RecipePlaces {
  readonly port: number;
  /** In place of /haproxy. */
  readonly folder: string;
  /** HOST:PORT in place of the VIP. */
  readonly vip: string;
}

/** Changes a text in one place; that place must be there, once. */
export type Edit = readonly [from: string, to: string];

/**
 * The recipe's haproxy.conf with the places where this machine differs from a DC/OS cluster, and no other change but
 * `edits`, made after the places.
 */
export function recipeConf(places: RecipePlaces, ...edits: readonly Edit[]): string {
  const here: readonly Edit[] = [
    ["bind :6443 ", `bind :${places.port} `],
    [" crt /haproxy/", ` crt ${places.folder}/`],
    ["apiserver.<SERVICE_NAME>.l4lb.thisdcos.directory:6443", places.vip],
  ];
  return [...here, ...edits].reduce((text, [from, to]) => {
    assert.equal(text.split(from).length, 2, `"${from}" must stand once in:\n${text}`);
    return text.replace(from, to);
  }, HAPROXY_CONF);
}
