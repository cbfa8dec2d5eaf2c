/** One way into one cluster: what kubectl needs, and how its parts are called. */
export interface KubeconfigEntry {
  readonly contextName: string;
  /** Undefined: as the context. */
  readonly clusterName?: string;
  readonly userName?: string;
  /** `https://kube.example.com:6443` */
  readonly server: string;
  readonly trust: Trust;
  /** Sent as SNI and verified in place of the server's host. */
  readonly tlsServerName?: string;
  readonly credential: Credential;
  readonly namespace?: string;
}

export type Trust =
  /** PEM text; only its certificates are taken over. */
  | { readonly kind: "ca"; readonly pem: string }
  /** The trust store of the machine kubectl runs on. */
  | { readonly kind: "system" }
  /** Not verified at all. */
  | { readonly kind: "insecure" };

export type Credential =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "certificate"; readonly certificatePem: string; readonly keyPem: string }
  /** A program that fetches a credential (client.authentication.k8s.io/v1). */
  | {
      readonly kind: "exec";
      readonly command: string;
      readonly args?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
    }
  /** Nothing is written for the user: it is there already, or nobody. */
  | { readonly kind: "none" };

/** A plain tree in kubectl's own words. */
export type Tree = { readonly [key: string]: string | boolean | readonly (string | Tree)[] | Tree };

export interface Named<Kind extends string> {
  readonly kind: Kind;
  readonly name: string;
  readonly value: Tree;
}

/** The parts of an entry, in the order in which they are written. */
export interface EntryParts {
  readonly cluster: Named<"cluster">;
  readonly user: Named<"user"> | undefined;
  readonly context: Named<"context">;
}

export function entryParts(entry: KubeconfigEntry): EntryParts {
  const { contextName, credential } = entry;
  const clusterName = entry.clusterName ?? contextName;
  // Without a credential a user is named only where one was asked for.
  const userName = entry.userName ?? (credential.kind === "none" ? undefined : contextName);
  const user = credentialTree(credential);
  return {
    cluster: { kind: "cluster", name: clusterName, value: clusterTree(entry) },
    user: user && userName !== undefined ? { kind: "user", name: userName, value: user } : undefined,
    context: {
      kind: "context",
      name: contextName,
      value: {
        cluster: clusterName,
        ...(entry.namespace !== undefined && { namespace: entry.namespace }),
        user: userName ?? "",
      },
    },
  };
}

/**
 * The name that `dcos kubernetes kubeconfig` gives: https://kube-apiserver.example.com:6443 →
 * kube-apiserver-example-com6443; after a digit the port is set off, or nobody could read it.
 */
export function contextNameFor(server: URL): string {
  const host = server.hostname.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return `${host}${/\d$/.test(host) ? "-" : ""}${server.port === "" ? "443" : server.port}`;
}

function clusterTree(entry: KubeconfigEntry): Tree {
  const { trust } = entry;
  return {
    ...(trust.kind === "ca" && { "certificate-authority-data": base64(certificatesOf(trust.pem)) }),
    ...(trust.kind === "insecure" && { "insecure-skip-tls-verify": true }),
    server: entry.server,
    ...(entry.tlsServerName !== undefined && { "tls-server-name": entry.tlsServerName }),
  };
}

function credentialTree(credential: Credential): Tree | undefined {
  switch (credential.kind) {
    case "none":
      return undefined;
    case "token":
      return { token: credential.token };
    case "certificate":
      return {
        "client-certificate-data": base64(certificatesOf(credential.certificatePem)),
        "client-key-data": base64(credential.keyPem),
      };
    case "exec": {
      const env = Object.entries(credential.env ?? {}).map(([name, value]) => ({ name, value }));
      return {
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command: credential.command,
          ...(credential.args !== undefined && { args: credential.args }),
          ...(env.length > 0 && { env }),
          interactiveMode: "IfAvailable",
        },
      };
    }
  }
}

/** A gate's bundle given as CA holds its private key, which must not go where the kubeconfig goes. */
function certificatesOf(pem: string): string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`).join("");
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
