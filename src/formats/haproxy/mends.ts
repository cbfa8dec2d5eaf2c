import type { Mends } from "../../model/index.ts";

/** The lines that mend what `settle` finds, as a haproxy.cfg writes them. */
export const MENDS: Mends = {
  certificateMissing: 'add "crt /path/to/bundle.pem", or remove "ssl" and set "mode tcp" to pass TLS through',
  clientCaMissing: 'add "ca-file /path/to/clients-ca.pem"',
  clientCaUnused:
    'put the chain into the file of "crt", behind the certificate, and remove "ca-file"; or add "verify required" to ask clients for a certificate',
  serverCaMissing: 'add "ca-file /path/to/ca.pem", or "ca-file @system-ca" for a certificate of a public CA',
  serverUnverified: (name) => `write "verify required ca-file /path/to/ca.pem verifyhost ${name}"`,
  serverNameUnverified: (name) => `add "verifyhost ${name}", or another name that its certificate carries`,
  unknownNamesServed: (endsTls) =>
    `remove "default_backend" to refuse them${endsTls ? ', and add "strict-sni" to the bind' : ""}`,
  leadsNowhere: 'add "default_backend NAME"',
  noBind: 'add "bind :6443 ssl crt /path/to/bundle.pem", or make it a backend',
  noServers:
    'add "server NAME ADDRESS:6443 check ssl verify required ca-file /path/to/ca.pem verifyhost NAME"',
  plainBind: 'add "ssl crt /path/to/bundle.pem"',
  plainServer: 'add "ssl verify required ca-file /path/to/ca.pem verifyhost NAME"',
  nameNeedsTls:
    'add "ssl crt /path/to/bundle.pem" to the bind, or ask "req.ssl_sni" in mode tcp to pass TLS on',
  tlsTwice: 'remove "ssl" and what belongs to it from the server',
  modesDiffer: 'give both the same "mode"',
  timeoutMissing: (names) =>
    names.map((name) => `add "timeout ${name} ${name === "connect" ? "10s" : "1h"}"`).join(", "),
};
