import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Command } from "commander";
import type { Credential, KubeconfigEntry, Trust } from "../formats/kubeconfig/index.ts";
import { formatDiagnostic } from "../model/index.ts";
import {
  inspectCertificates,
  kubectlSays,
  PkiError,
  readAuthorities,
  writeSecretFile,
} from "../pki/index.ts";
import { UserError } from "./outcome.ts";
import { print, say } from "./terminal.ts";

interface Flags {
  readonly server: string;
  readonly ca?: string;
  readonly insecure?: true;
  readonly tlsServerName?: string;
  readonly tokenFile?: string;
  readonly tokenStdin?: true;
  readonly name?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly out?: string;
  readonly merge?: string;
  readonly force?: true;
  readonly useContext?: true;
}

const EXAMPLES = `
With TLS verification (the gate's certificate is checked by its CA; without --ca by the machine's trust store):
  postern kubeconfig --server https://kube.example.com:6443 --ca tls/ca.crt --token-file token --out prod.kubeconfig
  kubectl --kubeconfig prod.kubeconfig get pods

Without TLS verification (whoever stands between kubectl and the gate can read the token):
  postern kubeconfig --server https://192.0.2.10:6443 --insecure --token-file token --out try.kubeconfig

Into a kubeconfig that is there (never overwrites an entry unless --force, never switches the current context unless
asked):
  postern kubeconfig --server https://kube.example.com:6443 --ca tls/ca.crt --token-stdin --merge ~/.kube/config < token

--user without a token names a user that the kubeconfig holds already.
Exit codes: 0 written, 1 not written, 2 usage.`;

export function kubeconfigCommand(): Command {
  return new Command("kubeconfig")
    .description("Writes a kubeconfig for the people outside.")
    .requiredOption("--server <url>", "where clients reach the gate: https://HOST:PORT")
    .option(
      "--ca <file>",
      "certificate of the CA that signed the gate's, or the gate's own when it is self-signed",
    )
    .option("--insecure", "no TLS verification")
    .option("--tls-server-name <name>", "name to verify in place of the server's host; sent as SNI, too")
    .option("--token-file <file>", "file with the bearer token")
    .option("--token-stdin", "read the bearer token from standard input")
    .option("--name <context>", "name of context and cluster (default: made of the server's host and port)")
    .option("--user <name>", "name of the user (default: as the context)")
    .option("--namespace <name>", "namespace of the context")
    .option("--out <file>", "write to a new file (mode 0600) instead of standard output")
    .option("--merge <file>", "add to a kubeconfig; made when it is not there")
    .option("--force", "replace what stands in the way")
    .option("--use-context", "with --merge: make it the current context")
    .addHelpText("after", EXAMPLES)
    .action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  refuseContradictions(flags, command);
  const server = serverUrl(flags.server, command);
  const trust = trustOf(flags);
  warnOfName(flags, flags.tlsServerName ?? server.hostname.replace(/^\[|\]$/g, ""));
  const credential = await credentialOf(flags);
  // Loaded when needed: the YAML library is the most of this command's start.
  const { contextNameFor, writeKubeconfig } = await import("../formats/kubeconfig/index.ts");
  const entry: KubeconfigEntry = {
    contextName: flags.name ?? contextNameFor(server),
    server: server.href.replace(/\/$/, ""),
    trust,
    credential,
    ...(flags.tlsServerName !== undefined && { tlsServerName: flags.tlsServerName }),
    ...(flags.user !== undefined && { userName: flags.user }),
    ...(flags.namespace !== undefined && { namespace: flags.namespace }),
  };
  if (trust.kind === "insecure") {
    warn(
      "kubectl will not verify the gate: whoever stands in between can read the token",
      "--ca is the way out",
    );
  }
  if (flags.merge !== undefined) await mergeInto(flags.merge, entry, flags);
  else if (flags.out === undefined) process.stdout.write(writeKubeconfig(entry));
  else {
    writeFile(flags.out, writeKubeconfig(entry), flags.force === true);
    print(`${flags.out}  context "${entry.contextName}"`);
    say(`try it: kubectl --kubeconfig ${flags.out} get pods`);
  }
}

function refuseContradictions(flags: Flags, command: Command): void {
  const pairs: [keyof Flags, keyof Flags][] = [
    ["ca", "insecure"],
    ["tokenFile", "tokenStdin"],
    ["out", "merge"],
  ];
  for (const [one, other] of pairs) {
    if (flags[one] !== undefined && flags[other] !== undefined) {
      command.error(`error: give --${flagName(one)} or --${flagName(other)}, not both`);
    }
  }
  if (flags.useContext === true && flags.merge === undefined)
    command.error("error: --use-context goes with --merge");
}

function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function serverUrl(written: string, command: Command): URL {
  const server = URL.canParse(written) ? new URL(written) : undefined;
  if (server === undefined || server.protocol !== "https:" || server.hostname === "") {
    return command.error(`error: --server takes https://HOST:PORT, not "${written}"`);
  }
  if (server.username !== "" || server.search !== "" || server.hash !== "") {
    return command.error("error: --server takes https://HOST:PORT, without user, query or fragment");
  }
  return server;
}

function trustOf(flags: Flags): Trust {
  if (flags.insecure === true) return { kind: "insecure" };
  if (flags.ca === undefined) {
    say("no --ca: kubectl will verify the gate by the trust store of its own machine");
    return { kind: "system" };
  }
  const { authorities, findings, withKey } = readAuthorities({ path: flags.ca });
  if (authorities === undefined) {
    const [failure] = findings.filter(({ severity }) => severity === "error");
    throw new UserError(failure?.message ?? `${flags.ca} cannot be read`, failure?.hint);
  }
  for (const { message, hint } of findings) warn(message, hint);
  for (const path of withKey) say(`only the certificates of ${path} are taken over, not its private key`);
  return { kind: "ca", pem: authorities.pems.join("") };
}

/** What kubectl will refuse can be seen here only where the "CA" is the gate's own certificate. */
function warnOfName(flags: Flags, host: string): void {
  if (flags.ca === undefined) return;
  const { certificates } = inspectCertificates(flags.ca);
  const [own] = certificates;
  if (certificates.length !== 1 || own === undefined || !own.selfSigned) return;
  if (own.names.length + own.addresses.length === 0 && own.commonName !== "*") return; // a CA names no host
  const said = kubectlSays(own, host);
  if (said !== undefined) {
    warn(
      `kubectl will refuse this gate: ${said}`,
      "use one of the certificate's hosts in --server or --tls-server-name, or make one for this host",
    );
  }
}

async function credentialOf(flags: Flags): Promise<Credential> {
  const source = flags.tokenFile ?? (flags.tokenStdin === true ? "standard input" : undefined);
  if (source === undefined) {
    if (flags.user === undefined)
      say("no token: kubectl will be asked who it is; see --token-file and --user");
    return { kind: "none" };
  }
  const text = flags.tokenFile === undefined ? await allOfStdin() : readOrExplain(flags.tokenFile);
  const token = text.trim();
  if (token === "") throw new UserError(`there is no token in ${source}: it is empty`);
  // RFC 6750 §2.1 allows less; what matters is that it stays one header and one YAML scalar.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new UserError(`${source} holds no token: there are spaces, line breaks or other characters inside`);
  }
  return { kind: "token", token };
}

async function allOfStdin(): Promise<string> {
  if (process.stdin.isTTY) say("paste the token, then Ctrl-D:");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

async function mergeInto(path: string, entry: KubeconfigEntry, flags: Flags): Promise<void> {
  const { mergeKubeconfig } = await import("../formats/kubeconfig/index.ts");
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const merged = locked(path, () => {
    const there = existsSync(path) ? readOrExplain(path) : "";
    const outcome = mergeKubeconfig(there, path, entry, {
      force: flags.force === true,
      useContext: flags.useContext === true,
    });
    if (outcome.kind === "merged") writeFile(path, outcome.text, true);
    return outcome;
  });
  switch (merged.kind) {
    case "unreadable":
      throw new UserError(merged.problems.map(formatDiagnostic).join("\n"), `${path} stays as it is`);
    case "taken":
      throw new UserError(
        `${path} has ${merged.parts.join(", ")} already, with another content; it stays as it is`,
        "give another --name (and --user), or --force to replace",
      );
    case "merged":
      print(`${path}  context "${entry.contextName}"`);
      if (merged.replaced.length > 0) say(`replaced: ${merged.replaced.join(", ")}`);
      say(useLine(path, entry.contextName, merged.currentContext));
  }
}

function useLine(path: string, ours: string, current: string): string {
  const kubectl = `kubectl --kubeconfig ${path}`;
  return ours === current
    ? `try it: ${kubectl} get pods`
    : `the current context is still "${current}"; try: ${kubectl} --context ${ours} get pods`;
}

/** As kubectl does it (client-go tools/clientcmd/config.go `lockFile`): two writers at once would lose an entry. */
function locked<T>(path: string, change: () => T): T {
  const lock = `${path}.lock`;
  try {
    writeFileSync(lock, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new UserError(`${path} cannot be written (${code ?? "unknown error"})`);
    throw new UserError(
      `another program is changing ${path}: there is ${lock}`,
      "try again; if no kubectl is at work, remove that file",
    );
  }
  try {
    return change();
  } finally {
    rmSync(lock, { force: true });
  }
}

function readOrExplain(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new UserError(`there is no file ${path}`);
    if (code === "EACCES") throw new UserError(`${path} may not be read by this user`);
    throw new UserError(`${path} cannot be read (${code ?? "unknown error"})`);
  }
}

function writeFile(path: string, text: string, overwrite: boolean): void {
  try {
    writeSecretFile(path, text, { overwrite });
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    throw new UserError(error.message, error.code === "exists" ? "--force replaces it" : error.hint);
  }
}

function warn(message: string, hint?: string): void {
  say(`warning: ${message}${hint === undefined ? "" : `\n    ${hint}`}`);
}
