import { readFileSync } from "node:fs";
import { readHaproxy } from "../formats/haproxy/index.ts";
import {
  type Configuration,
  type Diagnostic,
  hasErrors,
  inFileOrder,
  type LogTarget,
  settle,
} from "../model/index.ts";
import { loadMaterials, type Materials } from "../pki/index.ts";

/** What a configuration file came to. */
export interface Configured {
  readonly problems: readonly Diagnostic[];
  /** Undefined when there are errors. */
  readonly ready: { readonly configuration: Configuration; readonly materials: Materials } | undefined;
}

/**
 * Reads a file, settles it and loads the certificates it names. Every problem is told in one pass, in file order.
 * @param environment  for the variables of the file (`"$NAME"`)
 */
export function configure(file: string, environment: NodeJS.ProcessEnv): Configured {
  const text = readText(file);
  if (typeof text !== "string") return { problems: [text], ready: undefined };
  const { draft, problems: ofText } = readHaproxy(text, file, environment);
  const { configuration, readable, problems: ofModel } = settle(draft);
  const { materials, problems: ofFiles } = loadMaterials(readable);
  const ofWhole = configuration === undefined ? [] : whatIsMissing(configuration, file);
  const ofFile = [...ofText, ...ofModel, ...ofWhole];
  // Where a line could not be read, what its files lack was perhaps never meant.
  const more =
    configuration === undefined ? ofFiles.filter((problem) => !onOneLine(problem, ofFile)) : ofFiles;
  const problems = inFileOrder([...ofFile, ...more]);
  if (configuration === undefined || hasErrors(problems)) return { problems, ready: undefined };
  return { problems, ready: { configuration, materials } };
}

/** The same gate with its log lines as JSON; a frontend that logs nowhere then logs to stdout. */
export function withJsonLogs(configuration: Configuration): Configuration {
  const stdout: LogTarget = { kind: "stdout", framing: "raw", facility: "local0", level: "info" };
  const frontends = configuration.frontends.map((frontend) => {
    const targets = frontend.log.targets.length === 0 ? [stdout] : frontend.log.targets;
    return { ...frontend, log: { ...frontend.log, format: "json" as const, targets } };
  });
  return { ...configuration, frontends };
}

function onOneLine({ at }: Diagnostic, others: readonly Diagnostic[]): boolean {
  return others.some((other) => other.at.file === at.file && other.at.line === at.line);
}

/** A gate that listens nowhere would only sit there: mostly the file is empty or another one was meant. */
function whatIsMissing({ frontends }: Configuration, file: string): readonly Diagnostic[] {
  if (frontends.some(({ binds }) => binds.length > 0)) return [];
  return [
    {
      severity: "error",
      at: { file, line: 1, column: 1 },
      message: "nothing to listen on: no frontend has a bind",
      hint: 'write a frontend with a line such as "bind :6443 ssl crt FILE"',
    },
  ];
}

function readText(file: string): string | Diagnostic {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return {
      severity: "error",
      at: { file, line: 1, column: 1 },
      message: `cannot read the configuration: ${readWords(error as NodeJS.ErrnoException)}`,
    };
  }
}

function readWords(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
      return "no such file";
    case "EACCES":
      return "not allowed to read it";
    case "EISDIR":
      return "it is a directory";
    default:
      return error.message;
  }
}
