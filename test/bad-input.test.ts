import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { bundlePem, type Issued, issueServerCertificate, selfSigned } from "../src/pki/index.ts";
import { issueExpired, issueWithoutNames, makeCa } from "./support/authority.ts";
import { type Folder, temporaryFolder } from "./support/folder.ts";
import { freePort, postern, posternCommand, type Running, start } from "./support/process.ts";

// What a person gets to read who wrote a file wrong: `check` prints it on stdout, `run` on stderr and does not start.

let folder: Folder;
let port: number;

before(async () => {
  folder = await temporaryFolder();
  port = await freePort();
  const ca = await makeCa(folder, "house CA");
  const gate = await issueServerCertificate(ca, { hosts: ["gate.example.com"] });
  const stranger = await selfSigned({ hosts: ["gate.example.com"] });
  const write = (name: string, issued: Issued) => folder.write(name, bundlePem(issued));
  await write("gate.pem", gate);
  await write("expired.pem", await issueExpired(ca, ["gate.example.com"]));
  await write("cn-only.pem", await issueWithoutNames(folder, ca, "gate.example.com"));
  await write("crossed.pem", { certificatePem: gate.certificatePem, keyPem: stranger.keyPem });
  await folder.write("no-key.pem", gate.certificatePem);
  await folder.write("empty.pem", "");
  await folder.write("prose.pem", "this is no certificate\n");
  await mkdir(folder.file("empty-folder"));
});
after(() => folder?.remove());

/** A file without fault, and the words a case puts in place of these. */
const GOOD = {
  head: "mode http",
  bind: "bind 127.0.0.1:PORT ssl crt DIR/gate.pem alpn h2,http/1.1",
  route: "default_backend api",
  server: "server one 127.0.0.1:6443 ssl verify required ca-file DIR/house-CA.crt verifyhost kubernetes",
};

interface FileCase {
  readonly rule: string;
  /** What differs from `GOOD`; DIR is the folder, PORT a free port. */
  readonly writes: Partial<typeof GOOD>;
  /** Everything that is printed of problems: `line:column: …` behind the file's path, and hints. */
  readonly says: readonly string[];
  /** Only warnings: `check` is content. */
  readonly harmless?: true;
}

const bindWith = (certificate: string) => GOOD.bind.replace("gate.pem", certificate);
const PEM_NEEDED =
  "    the file needs the certificate, its chain and its private key, one PEM block after the other";

const FILES: readonly FileCase[] = [
  { rule: "nothing is wrong", writes: {}, says: [], harmless: true },
  {
    rule: "a certificate file that is not there",
    writes: { bind: bindWith("missing.pem") },
    says: [
      "9:34: error: there is no file DIR/missing.pem",
      "    make one: postern cert self-signed --host NAME --out DIR/missing.pem",
    ],
  },
  {
    rule: "a folder without certificates",
    writes: { bind: bindWith("empty-folder") },
    says: ["9:34: error: there is no certificate in the folder DIR/empty-folder"],
  },
  {
    rule: "an empty certificate file",
    writes: { bind: bindWith("empty.pem") },
    says: ["9:34: error: there is no certificate in DIR/empty.pem: it is empty", PEM_NEEDED],
  },
  {
    rule: "a file that is no PEM",
    writes: { bind: bindWith("prose.pem") },
    says: [
      '9:34: error: there is no certificate in DIR/prose.pem: it is not PEM: no line "-----BEGIN CERTIFICATE-----"',
      PEM_NEEDED,
    ],
  },
  {
    rule: "a certificate without its key",
    writes: { bind: bindWith("no-key.pem") },
    says: [
      "9:34: error: there is no private key in DIR/no-key.pem, nor a file DIR/no-key.pem.key",
      "    append its private key to the file",
    ],
  },
  {
    rule: "the key of another certificate",
    writes: { bind: bindWith("crossed.pem") },
    says: [
      "9:34: error: the private key in DIR/crossed.pem does not belong to its certificate (gate.example.com)",
      "    put the key it was made with in its place",
    ],
  },
  {
    rule: "an expired certificate",
    writes: { bind: bindWith("expired.pem") },
    says: [
      "9:34: warning: the certificate in DIR/expired.pem expired on DATE (20 days ago): who verifies refuses it",
      "    put a renewed certificate in its place",
    ],
    harmless: true,
  },
  {
    rule: "a certificate with a common name only",
    writes: { bind: bindWith("cn-only.pem") },
    says: [
      "9:34: warning: the certificate in DIR/cn-only.pem names its host only as CN=gate.example.com, without subject alternative names: kubectl and today's other clients refuse it even when they trust it",
      "    make one that names its hosts: postern cert self-signed --host NAME --out FILE",
    ],
    harmless: true,
  },
  {
    rule: "crt without ssl",
    writes: { bind: GOOD.bind.replace(" ssl ", " ").replace(" alpn h2,http/1.1", "") },
    says: [
      '9:26: error: bind 127.0.0.1:PORT has "crt" but no "ssl": HAProxy would take plain text there without a word',
      '    write "bind 127.0.0.1:PORT ssl crt …", or remove "crt"',
    ],
  },
  {
    rule: "a CA file that is not there",
    writes: { server: GOOD.server.replace("house-CA.crt", "missing.crt") },
    says: ["12:59: error: there is no file DIR/missing.crt"],
  },
  {
    rule: "verify without a CA",
    writes: { server: "server one 127.0.0.1:6443 ssl" },
    says: [
      '12:31: error: server "one" is to be verified, but no CA is named that its certificate must come from',
      '    add "ca-file /path/to/ca.pem", or "ca-file @system-ca" for a certificate of a public CA',
    ],
  },
  {
    rule: "a misspelt keyword",
    writes: { route: "defualt_backend api" },
    says: [
      '10:5: error: unknown keyword "defualt_backend" in a frontend',
      '    did you mean "default_backend"?',
    ],
  },
  {
    rule: "a misspelt parameter",
    writes: { server: GOOD.server.replace(" ssl ", " chek ssl ") },
    says: ['12:31: error: unknown parameter "chek" of server', '    did you mean "check"?'],
  },
  {
    rule: "a backend that is not there",
    writes: { route: "default_backend apis" },
    says: ['10:21: error: there is no backend "apis"', '    did you mean "api"?'],
  },
  {
    rule: "a time that is none",
    writes: { head: "timeout client 5y" },
    says: [
      '3:20: error: timeout client: "5y" is not a time',
      "    an integer and one of us, ms, s, m, h, d, such as 10s or 24h",
    ],
  },
  {
    rule: "a port that is none",
    writes: { bind: GOOD.bind.replace("PORT", "99999") },
    says: ['9:10: error: "99999" is not a port: an integer between 1 and 65535'],
  },
  {
    rule: "a server without a port",
    writes: { server: "server one 127.0.0.1 ssl verify none" },
    says: [
      '12:16: error: server address "127.0.0.1" has no port',
      "    such as 127.0.0.1:6443 (HAProxy would take the port the client came to)",
    ],
  },
  {
    rule: "several mistakes, all in one pass",
    writes: { head: "timout client 5s", bind: GOOD.bind.replace(" ssl ", " sl "), route: "use_backend nope" },
    says: [
      '3:5: error: unknown keyword "timout" in a defaults section',
      '    did you mean "timeout"?',
      '9:26: error: unknown parameter "sl" of bind',
      '    did you mean "ssl"?',
      '10:17: error: there is no backend "nope"',
      "    defined here: api",
    ],
  },
];

/** The file of a case, from line 1. */
function fileOf(writes: FileCase["writes"]): string {
  const { head, bind, route, server } = { ...GOOD, ...writes };
  return `defaults
    mode http
    ${head}
    timeout connect 5s
    timeout client 1m
    timeout client-fin 10s
    timeout server 1m
frontend f
    ${bind}
    ${route}
backend api
    ${server}
`
    .replaceAll("DIR", folder.path)
    .replaceAll("PORT", String(port));
}

/** `says` as it is printed for a file. */
function printed(file: string, says: readonly string[]): readonly string[] {
  return says.map((line) =>
    (line.startsWith(" ") ? line : `${file}:${line}`)
      .replaceAll("DIR", folder.path)
      .replaceAll("PORT", String(port)),
  );
}

/** What was printed, line by line, without the day of a date. */
function lines(text: string): readonly string[] {
  return text
    .replace(/\b\d{4}-\d\d-\d\d\b/g, "DATE")
    .split("\n")
    .filter((line) => line !== "");
}

function assertNoStack(run: Running): void {
  assert.doesNotMatch(run.output(), /^ {4}at |node:internal|please report it/m);
}

describe("a configuration file", () => {
  for (const [index, { rule, writes, says, harmless }] of FILES.entries()) {
    it(rule, async () => {
      const file = await folder.write(`case-${index}.conf`, fileOf(writes));
      const expected = printed(file, says);
      const problems = says.filter((line) => !line.startsWith(" ")).length;
      const count = problems === 0 ? "" : `: ${problems} ${problems === 1 ? "problem" : "problems"}`;
      const check = postern(["check", "-f", file]);
      const run = harmless ? undefined : postern(["run", "-f", file]);
      assert.equal(await check.exited, harmless ? 0 : 1);
      assert.deepEqual(lines(check.stdout()), [
        ...expected,
        `${file} ${harmless ? "is valid" : "cannot be used"}${count}`,
      ]);
      assert.equal(check.stderr(), "");
      if (run === undefined) return;
      assert.equal(await run.exited, 1);
      assert.deepEqual(lines(run.stderr()), [...expected, `postern: ${file} cannot be used`]);
      assert.equal(run.stdout(), "");
      assertNoStack(run);
    });
  }
});

interface CommandCase {
  readonly rule: string;
  readonly args: (file: string) => readonly string[];
  /** What stands in the file; undefined: there is none. */
  readonly content?: string | Buffer;
  readonly code: number;
  readonly says: (file: string) => readonly string[];
}

const COMMANDS: readonly CommandCase[] = [
  {
    rule: "run: a file that is not there",
    args: (file) => ["run", "-f", file],
    code: 1,
    says: (file) => [
      `${file}:1:1: error: cannot read the configuration: no such file`,
      `postern: ${file} cannot be used`,
    ],
  },
  {
    rule: "check: a file that is not there",
    args: (file) => ["check", "-f", file],
    code: 1,
    says: (file) => [
      `${file}:1:1: error: cannot read the configuration: no such file`,
      `${file} cannot be used: 1 problem`,
    ],
  },
  {
    rule: "run: a folder in place of a file",
    args: () => ["run", "-f", folder.path],
    code: 1,
    says: () => [
      `${folder.path}:1:1: error: cannot read the configuration: it is a directory`,
      `postern: ${folder.path} cannot be used`,
    ],
  },
  {
    rule: "run: an empty file",
    args: (file) => ["run", "-f", file],
    content: "",
    code: 1,
    says: (file) => [
      `${file}:1:1: error: nothing to listen on: no frontend has a bind`,
      '    write a frontend with a line such as "bind :6443 ssl crt FILE"',
      `postern: ${file} cannot be used`,
    ],
  },
  {
    rule: "check: a file that was meant for another program",
    args: (file) => ["check", "-f", file],
    content: "apiVersion: v1\nkind: Config\n",
    code: 1,
    says: (file) => [
      `${file}:1:1: error: "apiVersion:" stands before any section`,
      "    begin with global, defaults, frontend, backend or listen",
      `${file} cannot be used: 1 problem`,
    ],
  },
  {
    rule: "run: no file named",
    args: () => ["run"],
    code: 2,
    says: () => ["error: required option '-f, --file <file>' not specified", '(try "postern run --help")'],
  },
  {
    rule: "check: an output it does not have",
    args: (file) => ["check", "-f", file, "--output", "yaml"],
    code: 2,
    says: () => ['error: --output takes "text" or "json", not "yaml"', '(try "postern check --help")'],
  },
  {
    rule: "a command that is misspelt",
    args: () => ["chekc"],
    code: 2,
    says: () => ["error: unknown command 'chekc'", "(Did you mean check?)"],
  },
];

describe("a command line", () => {
  for (const [index, { rule, args, content, code, says }] of COMMANDS.entries()) {
    it(`${rule}: exit code ${code}`, async () => {
      const file = folder.file(`command-${index}.conf`);
      if (content !== undefined) await writeFile(file, content);
      const run = postern(args(file));
      assert.equal(await run.exited, code);
      assert.deepEqual(lines(run.output()), says(file));
      assertNoStack(run);
    });
  }

  it("files that this user may not read, as one line each", async () => {
    const closed = await folder.write("closed.pem", "");
    const file = await folder.write("closed.conf", fileOf({ bind: bindWith("closed.pem") }));
    await chmod(closed, 0);
    const certificate = asPlainUser(["check", "-f", file]);
    assert.equal(await certificate.exited, 1);
    assert.deepEqual(lines(certificate.stdout()), [
      `${file}:9:34: error: ${closed} may not be read by this user`,
      "    chown or chgrp it to the user the gate runs as; 0640 or 0600 is right for a file with a key",
      `${file} cannot be used: 1 problem`,
    ]);
    await chmod(file, 0);
    const configuration = asPlainUser(["run", "-f", file]);
    assert.equal(await configuration.exited, 1);
    assert.deepEqual(lines(configuration.output()), [
      `${file}:1:1: error: cannot read the configuration: not allowed to read it`,
      `postern: ${file} cannot be used`,
    ]);
  });
});

/** Root reads every file, unless it gives that up. */
function asPlainUser(args: readonly string[]): Running {
  const { command, words } = posternCommand(args);
  if (process.getuid?.() !== 0) return start(command, words);
  return start("setpriv", ["--bounding-set=-dac_override,-dac_read_search", command, ...words]);
}
