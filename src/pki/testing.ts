import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Position } from "../model/index.ts";

export const AT: Position = { file: "haproxy.cfg", line: 7, column: 30 };

/** A folder for the tests of one file, removed after them. */
export interface Scratch {
  readonly path: string;
  /** Writes a file, readable by its owner only unless told otherwise. @returns its path */
  write(name: string, text: string | Buffer, mode?: number): string;
}

export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), "postern-pki-"));
  after(() => rmSync(path, { recursive: true }));
  return {
    path,
    write(name, text, mode = 0o600) {
      const file = join(path, name);
      writeFileSync(file, text, { mode });
      return file;
    },
  };
}

/** The oracle. */
export function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function opensslIn(input: string, ...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", input, stdio: ["pipe", "pipe", "pipe"] });
}

/** Certificate and key of the recipe's first example: RSA 2048, SHA-1, CN=*, no SAN. */
export function recipeBundle(): string {
  const subject = "/C=US/ST=CA/L=SF/O=Mesosphere/OU=dcos-kubernetes/CN=*";
  const request = ["req", "-new", "-x509", "-nodes", "-sha1", "-days", "3650", "-subj", subject];
  return openssl(...request, "-newkey", "rsa:2048", "-keyout", "-");
}
