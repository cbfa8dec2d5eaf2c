import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { endKubectl, type KubectlRun, type Seat, startKubectl } from "./kubectl.ts";
import type { KubectlCase, Step } from "./kubectl-case.ts";

/** What a case brought, made comparable: the same through a gate as directly. */
export interface CaseResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the forwarded connections brought, or the files that cp left. */
  readonly brought: readonly string[];
}

/**
 * Runs a case as it stands in the table.
 * @param home  HOME of kubectl, where it keeps what it has learnt of the server; a new folder is a cold cache
 */
export async function runCase(seat: Seat, given: KubectlCase, home: string): Promise<CaseResult> {
  const cwd = mkdtempSync(join(seat.folder, "work-"));
  try {
    for (const [name, text] of Object.entries(given.files ?? {})) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    const result = await runSteps(seat, given, { cwd, home });
    const files = (given.leaves ?? []).map((name) => readFileSync(join(cwd, name), "utf8"));
    return { ...result, brought: [...result.brought, ...files] };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function runSteps(
  seat: Seat,
  given: KubectlCase,
  where: { cwd: string; home: string },
): Promise<CaseResult> {
  const run: KubectlRun = {
    args: given.args,
    ...where,
    ...(given.user !== undefined && { user: given.user }),
    ...(given.env !== undefined && { env: given.env }),
    ...(given.terminal !== undefined && { terminal: given.terminal }),
  };
  const running = startKubectl(seat, run);
  const brought: string[] = [];
  let matched: string | undefined;
  try {
    if (given.stdin !== undefined || given.steps === undefined) running.child.stdin.end(given.stdin ?? "");
    for (const step of given.steps ?? []) {
      const found = await running.wrote(step.after);
      matched = running.stdout().slice(0, found.index + found[0].length);
      brought.push(...(await takeStep(seat, run, running, step, found)));
    }
    const endsItself = given.endless !== true;
    const code = endsItself ? await running.ended : null;
    const stdout = endsItself ? running.stdout() : (matched ?? "");
    return {
      code,
      stdout: normalise(stdout, seat),
      stderr: normalise(running.stderr(), seat),
      brought: brought.map((text) => normalise(text, seat)),
    };
  } finally {
    endKubectl(running.child);
    await running.ended;
  }
}

async function takeStep(
  seat: Seat,
  run: KubectlRun,
  running: ReturnType<typeof startKubectl>,
  step: Step,
  found: RegExpExecArray,
): Promise<readonly string[]> {
  if (step.types !== undefined) running.child.stdin.write(step.types);
  if (step.runs !== undefined) {
    const other = startKubectl(seat, { ...run, args: step.runs });
    other.child.stdin.end();
    const code = await other.ended;
    assert.equal(code, 0, `kubectl ${step.runs.join(" ")} ended with ${code}: ${other.stderr()}`);
  }
  const port = Number(found.groups?.port);
  return Promise.all((step.sends ?? []).map((text) => exchange(port, text)));
}

/** Sends a text and FIN, and reads until the other side's FIN. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let received = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      received += chunk;
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(received));
    socket.end(text);
  });
}

const replacements: readonly (readonly [RegExp, string])[] = [
  [/\r/g, ""],
  [/\^@|\^D\x08\x08/g, ""], // what a terminal without a person leaves
  [/^([IWE])\d{4} [\d:.]+ +\d+ [\w.]+:\d+\]/gm, "<log $1>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>"],
  [/\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, "<time>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uid>"],
  [/(resourceVersion"?: ?)"\d+"/g, '$1"<version>"'],
  [/^[\w-]{43}$/gm, "<token>"],
  [/\b10\.244\.0\.\d+/g, "<pod address>"],
  [/\bstill here, \d+/g, "still here, <n>"],
  [/(?<=[ \t])(\d+[smhd])+(?=\s|$)/gm, "<age>"],
  [/(Forwarding from )[^ ]+:\d+/g, "$1<local>"],
  [/(Handling connection for |forwarding )\d+/g, "$1<local port>"],
  [/ {2,}/g, "  "],
];

/** Takes out what differs from run to run: times, ages, versions, addresses, ports. */
function normalise(text: string, seat: Seat): string {
  const own = text.replaceAll(seat.server, "<server>").replaceAll(new URL(seat.server).host, "<host>");
  return replacements.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), own);
}

/** Compares a result with what the table says. */
export function checkCase(given: KubectlCase, result: CaseResult): void {
  const told = `\nstdout: ${result.stdout}\nstderr: ${result.stderr}`;
  assert.equal(result.code, given.endless === true ? null : (given.code ?? 0), `exit code${told}`);
  checkText("stdout", result.stdout, given.stdout);
  checkText("stderr", result.stderr, given.stderr);
  (given.brings ?? []).forEach((expected, index) => {
    checkText(`brought ${index}`, result.brought[index] ?? "", expected);
  });
}

function checkText(what: string, actual: string, expected: string | RegExp | undefined): void {
  if (expected === undefined) return;
  if (typeof expected === "string") assert.equal(actual, expected, what);
  else assert.match(actual, expected, what);
}
