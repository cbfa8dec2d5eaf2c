import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import {
  type Authority,
  bundlePem,
  type CertificateFacts,
  createAuthority,
  day,
  type Finding,
  type Inspection,
  inspectCertificates,
  issueServerCertificate,
  kubectlSays,
  PkiError,
  readText,
  selfSigned,
  writePublicFile,
  writeSecretFile,
} from "../pki/index.ts";
import { UserError } from "./outcome.ts";
import { coloured, print, say } from "./terminal.ts";

export function certCommand(): Command {
  return new Command("cert")
    .description("Makes certificates for a gate, and says what today's clients think of one.")
    .addCommand(selfSignedCommand())
    .addCommand(showCommand())
    .addHelpText("after", '\n"postern cert COMMAND --help" shows flags and examples of each.');
}

interface SelfSignedFlags {
  readonly host?: string[];
  readonly ip?: string[];
  readonly days?: string;
  readonly rsa?: true;
  readonly out?: string;
  readonly dir?: string;
  readonly ca?: true;
  readonly force?: true;
  readonly output: string;
}

const SELF_SIGNED_EXAMPLES = `
Writes one PEM file as HAProxy's "crt" and Postern want it: the certificate, then its private key (mode 0600).
With --ca a private CA signs it (ca.crt, ca.key in the same folder; one that is there already is used again):
clients are given ca.crt once, and a renewed certificate needs nothing from them.

Examples:
  postern cert self-signed --host gate.example.com
  postern cert self-signed --host gate.example.com '*.k8s.example.com' --ip 192.0.2.10 --dir tls --ca
  postern cert self-signed --host gate.example.com --out haproxy.pem --force`;

function selfSignedCommand(): Command {
  return new Command("self-signed")
    .description("Makes a certificate and key for a gate, signed by itself or by a private CA.")
    .option("--host <name...>", "DNS names that clients use; *.example.com stands for one label")
    .option("--ip <address...>", "IP addresses that clients use")
    .option("--days <n>", "days of validity (default: 398, the most that every client takes)")
    .option("--rsa", "an RSA key of 2048 bits instead of ECDSA P-256")
    .option("--out <file>", "where certificate and key go (default: gate.pem)")
    .option("--dir <dir>", "the folder for all files; made when it is not there")
    .option("--ca", "have it signed by a private CA, made when it is not there")
    .option("--force", "replace a certificate that is there; a CA never is")
    .option("--output <format>", "text or json", "text")
    .addHelpText("after", SELF_SIGNED_EXAMPLES)
    .action(makeSelfSigned);
}

async function makeSelfSigned(flags: SelfSignedFlags, command: Command): Promise<void> {
  const asJson = wantsJson(flags.output, command);
  const hosts = [...(flags.host ?? []), ...(flags.ip ?? [])];
  if (hosts.length === 0) command.error("error: give at least one --host NAME or --ip ADDRESS");
  if (flags.out !== undefined && flags.dir !== undefined)
    command.error("error: give --out or --dir, not both");
  if (flags.days !== undefined && !/^\d+$/.test(flags.days))
    command.error("error: --days takes a number of days");
  const bundle = flags.out ?? join(flags.dir ?? ".", "gate.pem");
  const overwrite = flags.force === true;
  const request = {
    hosts,
    ...(flags.days !== undefined && { days: Number(flags.days) }),
    keyType: flags.rsa === true ? ("rsa" as const) : ("ec" as const),
  };
  const written = await asUserErrors(async () => {
    // Before anything is made: a CA whose first certificate has no place would only stand in the way.
    if (!overwrite && existsSync(bundle))
      throw new PkiError("exists", `${bundle} is there already, and stays as it is`);
    if (flags.dir !== undefined) mkdirSync(flags.dir, { recursive: true });
    const signer = flags.ca === true ? await privateAuthority(dirname(bundle)) : undefined;
    const issued =
      signer === undefined
        ? await selfSigned(request)
        : await issueServerCertificate(signer.authority, request);
    writeSecretFile(bundle, bundlePem(issued), { overwrite });
    return {
      signer,
      files: [...(signer?.written ?? []), { path: bundle, what: "certificate and private key" }],
    };
  });
  if (asJson) print(JSON.stringify({ files: written.files }, null, 2));
  else for (const { path, what } of written.files) print(`${path}  ${what}`);
  advise(bundle, hosts[0] ?? "", written.signer?.certificatePath);
}

interface WrittenFile {
  readonly path: string;
  readonly what: string;
}

interface Signer {
  readonly authority: Authority;
  readonly certificatePath: string;
  readonly written: readonly WrittenFile[];
}

/** The CA of a folder: the one that is there, else a new one. It is never replaced: its clients would be cut off. */
async function privateAuthority(folder: string): Promise<Signer> {
  const certificatePath = join(folder, "ca.crt");
  const keyPath = join(folder, "ca.key");
  const [there, keyThere] = [existsSync(certificatePath), existsSync(keyPath)];
  if (there && keyThere) {
    say(`signed by the CA that is there already, ${certificatePath}`);
    return {
      authority: { certificatePem: textOf(certificatePath), keyPem: textOf(keyPath) },
      certificatePath,
      written: [],
    };
  }
  if (there || keyThere) {
    const [found, missing] = there ? [certificatePath, keyPath] : [keyPath, certificatePath];
    throw new UserError(
      `${found} is there, but ${missing} is not`,
      "use another folder, or put the CA together again",
    );
  }
  const authority = await createAuthority({ commonName: "Postern private CA" });
  writeSecretFile(keyPath, authority.keyPem);
  writePublicFile(certificatePath, authority.certificatePem);
  const written = [
    { path: keyPath, what: "the CA's private key: keep it safe, the gate does not need it" },
    { path: certificatePath, what: "the CA's certificate: for clients" },
  ];
  return { authority, certificatePath, written };
}

function textOf(path: string): string {
  const read = readText(path);
  if (read.kind === "text") return read.text;
  throw new UserError(read.finding.message, read.finding.hint);
}

function advise(bundle: string, host: string, caPath: string | undefined): void {
  const server = host.includes(":") ? `[${host}]` : host.replace("*", "NAME");
  say(`for the gate:    bind :6443 ssl crt ${bundle} alpn h2,http/1.1`);
  say(
    `for its clients: postern kubeconfig --server https://${server}:6443 --ca ${caPath ?? bundle} --token-stdin`,
  );
}

interface ShowFlags {
  readonly host?: string;
  readonly output: string;
}

const SHOW_EXAMPLES = `
Examples:
  postern cert show haproxy.pem
  postern cert show haproxy.pem --host gate.example.com     what kubectl says when it connects by this name
  postern cert show haproxy.pem --output json | jq .certificates[0].notAfter

Exit codes: 0 it can be used (warnings only), 1 it cannot, 2 usage.`;

function showCommand(): Command {
  return new Command("show")
    .description("Shows a certificate file: names, issuer, validity, key, and what kubectl will say of it.")
    .argument("<file>", "PEM file with a certificate, perhaps its chain and key")
    .option("--host <host>", "a name or address that clients use")
    .option("--output <format>", "text or json", "text")
    .addHelpText("after", SHOW_EXAMPLES)
    .action((file: string, flags: ShowFlags, command: Command) => {
      const asJson = wantsJson(flags.output, command);
      const now = new Date();
      const inspection = inspectCertificates(file, now);
      const [leaf] = inspection.certificates;
      const host = flags.host ?? (leaf && hostToTry(leaf));
      const kubectl = leaf && host !== undefined ? { host, says: kubectlSays(leaf, host, now) } : undefined;
      if (asJson) print(JSON.stringify({ file, ...inspection, ...(kubectl && { kubectl }) }, null, 2));
      else for (const line of showLines(inspection, kubectl)) print(line);
      process.exitCode = inspection.findings.some(({ severity }) => severity === "error") ? 1 : 0;
    });
}

interface Kubectl {
  readonly host: string;
  /** Undefined: it accepts. */
  readonly says: string | undefined;
}

/** Some host that the certificate was made for; where it names none, one that the person may have meant. */
function hostToTry({ names, addresses, ca, commonName }: CertificateFacts): string | undefined {
  const named = names[0]?.replace("*", "any") ?? addresses[0];
  if (named !== undefined) return named;
  const isHostLike = commonName === "*" || (commonName?.includes(".") && !commonName.includes(" "));
  return ca && !isHostLike ? undefined : (commonName ?? "").replace("*", "localhost");
}

function showLines({ certificates, key, findings }: Inspection, kubectl: Kubectl | undefined): string[] {
  const lines = findings.map(findingLine);
  const [leaf, ...chain] = certificates;
  if (leaf === undefined) return lines;
  const hosts = [...leaf.names, ...leaf.addresses];
  return [
    row("subject", leaf.subject),
    row("hosts", hosts.length === 0 ? "none (no subject alternative names)" : hosts.join(", ")),
    row("issuer", leaf.selfSigned ? "itself" : leaf.issuer),
    row("valid", `${day(leaf.notBefore)} to ${day(leaf.notAfter)}`),
    row("key", `${leaf.keyType}, ${KEY_WORDS[key]}`),
    row("SHA-256", leaf.fingerprint),
    ...chain.map((link) => row("chain", link.subject)),
    ...(kubectl === undefined ? [] : [row("kubectl", kubectlLine(leaf, kubectl))]),
    ...lines,
  ];
}

const KEY_WORDS: Record<Inspection["key"], string> = {
  belongs: "the private key is in the file and belongs to it",
  foreign: "the private key in the file belongs to another certificate",
  none: "no private key in the file",
  unusable: "the private key in the file cannot be used",
};

function kubectlLine(leaf: CertificateFacts, { host, says }: Kubectl): string {
  if (says !== undefined) return `by ${host}: ${coloured(says, "red")}`;
  return `accepts it by ${host}, if it was given ${leaf.selfSigned ? "this certificate" : leaf.issuer} as its CA`;
}

function row(label: string, value: string): string {
  return `${label.padEnd(9)}${value}`;
}

function findingLine({ severity, message, hint }: Finding): string {
  const head = `${coloured(severity, severity === "error" ? "red" : "yellow")}: ${message}`;
  return hint === undefined ? head : `${head}\n    ${hint}`;
}

function wantsJson(output: string, command: Command): boolean {
  if (output !== "text" && output !== "json") {
    command.error(`error: --output takes "text" or "json", not "${output}"`);
  }
  return output === "json";
}

/** What cannot be made is the person's to mend, and is said in one line. */
async function asUserErrors<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    const hint = error.code === "exists" ? "--force replaces it" : error.hint;
    throw new UserError(error.message, hint, error.code === "bad_host" || error.code === "bad_days" ? 2 : 1);
  }
}
