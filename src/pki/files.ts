import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { PkiError } from "./error.ts";
import { error, type Finding } from "./finding.ts";

export type ReadText =
  | { readonly kind: "text"; readonly text: string; readonly mode: number }
  | { readonly kind: "absent"; readonly finding: Finding }
  | { readonly kind: "unreadable"; readonly finding: Finding };

/** Reads one PEM file whole; what goes wrong is said in words, with the absolute path. */
export function readText(path: string): ReadText {
  try {
    const text = readFileSync(path, "latin1"); // PEM is ASCII; a DER file must not fail as bad UTF-8
    return { kind: "text", text, mode: statSync(path).mode };
  } catch (caught) {
    const code = (caught as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") {
      const folder = isAbsolute(path) ? "" : ` in ${resolve(".")}`;
      return { kind: "absent", finding: error(`there is no file ${path}${folder}`) };
    }
    return { kind: "unreadable", finding: unreadable(path, code) };
  }
}

function unreadable(path: string, code: string | undefined): Finding {
  if (code === "EISDIR") return error(`${path} is a folder, a PEM file is needed`);
  if (code === "EACCES" || code === "EPERM") {
    return error(
      `${path} may not be read by this user`,
      `chown or chgrp it to the user the gate runs as; 0640 or 0600 is right for a file with a key`,
    );
  }
  return error(`${path} cannot be read (${code ?? "unknown error"})`);
}

/** Names of the plain files in a folder, sorted by bytes as HAProxy loads them, dotfiles left out; undefined: no folder. */
export function listFolder(path: string): string[] | undefined {
  try {
    if (!statSync(path).isDirectory()) return undefined;
    const names = readdirSync(path).filter((name) => !name.startsWith("."));
    return names.filter((name) => isFile(`${path}/${name}`)).sort();
  } catch {
    return undefined; // absent or closed to us: reading it as a file says why
  }
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

export interface WriteOptions {
  /** Replace a file that is there: the new one takes its place whole, and its owner stays. */
  readonly overwrite?: boolean;
}

/**
 * Writes a file that holds a private key or a token: closed to other users from its first byte on.
 * @throws PkiError `exists`, `cannot_write`
 */
export function writeSecretFile(path: string, text: string, options: WriteOptions = {}): void {
  // The group of a file that is replaced may be how its service reads it; everybody else never.
  write(path, text, { fresh: 0o600, kept: 0o770 }, options);
}

/** @throws PkiError `exists`, `cannot_write` */
export function writePublicFile(path: string, text: string, options: WriteOptions = {}): void {
  write(path, text, { fresh: 0o644, kept: 0o777 }, options);
}

interface Mode {
  readonly fresh: number;
  /** Which bits of a replaced file's mode stay. */
  readonly kept: number;
}

function write(path: string, text: string, mode: Mode, options: WriteOptions): void {
  try {
    const there = options.overwrite === true ? statSync(path, { throwIfNoEntry: false }) : undefined;
    if (there === undefined) writeNew(path, text, mode.fresh);
    else if (there.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    else replace(realpathSync(path), text, { ...there, mode: there.mode & mode.kept });
  } catch (caught) {
    const code = (caught as NodeJS.ErrnoException).code;
    if (code === "EEXIST") throw new PkiError("exists", `${path} is there already, and stays as it is`);
    throw new PkiError("cannot_write", `${path} cannot be written: ${reason(code)}`);
  }
}

/** A symbolic link goes on leading to the file, and a reader sees the old text or the new one, never a part. */
function replace(path: string, text: string, there: { mode: number; uid: number; gid: number }): void {
  const next = `${path}.${process.pid}.new`;
  try {
    writeNew(next, text, 0o600);
    if (process.getuid?.() === 0) chownSync(next, there.uid, there.gid); // sudo must not take the file from its user
    chmodSync(next, there.mode);
    renameSync(next, path);
  } catch (caught) {
    rmSync(next, { force: true });
    throw caught;
  }
}

function writeNew(path: string, text: string, mode: number): void {
  const descriptor = openSync(path, "wx", mode);
  try {
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function reason(code: string | undefined): string {
  if (code === "ENOENT") return "its folder does not exist";
  if (code === "EACCES" || code === "EPERM") return "this user may not";
  if (code === "EROFS") return "the file system is read-only";
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EISDIR") return "it is a folder";
  return code ?? "unknown error";
}
