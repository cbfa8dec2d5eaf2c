import { readdirSync, readFileSync } from "node:fs";

/**
 * A `.case` file: a haproxy.cfg, `----`, the diagnostics as a person sees them, and where wanted `----` and a part of the
 * model in YAML. Comments at the top of the haproxy.cfg tell how to take it:
 *
 *     # HAProxy 2.6: accepts        (or warns, or refuses)
 *     # Differs: why Postern does not say the same     (only where it does not)
 *     # Environment: NAME=value
 *     # Text: CRLF                  (or: no newline at the end; byte order mark)
 *
 * `/haproxy/` stands for a folder with haproxy.pem, ca.pem and dcos-kubernetes-ca.pem, as in the recipe.
 */
export interface Case {
  readonly name: string;
  readonly input: string;
  readonly problems: string;
  readonly model: string | undefined;
  readonly haproxy: "accepts" | "warns" | "refuses";
  readonly differs: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** The name of the input in diagnostics. */
export const CASE_INPUT_NAME = "haproxy.cfg";

const FOLDER = new URL("../../src/formats/haproxy/cases/", import.meta.url);

export function readCases(): Case[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".case"))
    .sort()
    .map((name) => readCase(name, readFileSync(new URL(name, FOLDER), "utf8")));
}

function readCase(name: string, text: string): Case {
  const [input, problems, model] = text.split(/^----\n/m);
  if (input === undefined || problems === undefined)
    throw new Error(`${name}: no line of ---- behind the input`);
  const haproxy = /^# HAProxy 2\.6: (.*)$/m.exec(input)?.[1];
  if (haproxy !== "accepts" && haproxy !== "warns" && haproxy !== "refuses") {
    throw new Error(`${name}: no line "# HAProxy 2.6: accepts", warns or refuses`);
  }
  return {
    name: name.slice(0, -".case".length),
    input: asText(input, /^# Text: (.*)$/m.exec(input)?.[1]),
    problems: problems.trimEnd(),
    model,
    haproxy,
    differs: /^# Differs: (.*)$/m.exec(input)?.[1],
    environment: Object.fromEntries(
      [...input.matchAll(/^# Environment: (\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
    ),
  };
}

/** What an editor would not keep in a file of lines. */
function asText(input: string, how: string | undefined): string {
  if (how === undefined) return input;
  if (how === "CRLF") return input.replaceAll("\n", "\r\n");
  if (how === "no newline at the end") return input.trimEnd();
  if (how === "byte order mark") return `\uFEFF${input}`;
  throw new Error(`unknown "# Text: ${how}"`);
}
