import {
  didYouMean,
  type Located,
  matchesServerName,
  type Position,
  type ServerNamePattern,
} from "../../model/index.ts";
import { type Expression, type NameSource, readExpression } from "./acl.ts";
import { PREDEFINED_ACLS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import type { Word } from "./words.ts";

/** An ACL of a proxy by its name: one of its expressions must hold. */
export type Acls = ReadonlyMap<string, readonly Expression[]>;

/** One operand of a condition. */
export interface Literal {
  readonly at: Position;
  readonly negate: boolean;
  /** One of them must hold. */
  readonly expressions: readonly Expression[];
}

/** Alternatives, each a list of what must hold together; `undefined`: told why it cannot be read. */
export type Condition = readonly (readonly Literal[])[];

/**
 * `if …` or `unless …` (manual §7.2): names of ACLs or `{ expressions }`, `!` before one; side by side means and,
 * `or` and `||` bind looser.
 */
export function readCondition(line: Line, acls: Acls): Condition | undefined {
  const how = line.next()!;
  if (how.value !== "if" && how.value !== "unless") {
    line.problems.error(
      how.at,
      `"${how.value}" does not belong here`,
      'a condition begins with "if" or "unless"',
    );
    line.rest();
    return undefined;
  }
  if (line.peek() === undefined) {
    line.problems.error(line.end, `the condition after "${how.value}" is missing`);
    return undefined;
  }
  const errorsBefore = line.problems.errors;
  const alternatives: Literal[][] = [[]];
  let negate = false;
  for (let word = line.next(); word !== undefined; word = line.next()) {
    if (word.value === "or" || word.value === "||") {
      alternatives.push([]);
      continue;
    }
    const bangs = /^!*/.exec(word.value)![0].length;
    if (bangs % 2 === 1) negate = !negate;
    const operand = { value: word.value.slice(bangs), at: word.at };
    if (operand.value === "") continue;
    const expressions = operand.value === "{" ? readBraces(operand, line) : findAcl(operand, line, acls);
    if (expressions !== undefined) alternatives.at(-1)!.push({ at: word.at, negate, expressions });
    negate = false;
  }
  if (line.problems.errors > errorsBefore) return undefined;
  if (alternatives.some((alternative) => alternative.length === 0)) {
    line.problems.error(how.at, 'something is missing beside "or"');
    return undefined;
  }
  return how.value === "if" ? alternatives : turned(alternatives);
}

function readBraces(open: Word, line: Line): readonly Expression[] | undefined {
  const words: Word[] = [];
  for (let word = line.next(); word?.value !== "}"; word = line.next()) {
    if (word === undefined) {
      const glued = words.some(({ value }) => value.endsWith("}"));
      line.problems.error(
        open.at,
        'this "{" is never closed',
        glued ? 'leave a space before "}"' : 'end it with " }"',
      );
      return undefined;
    }
    words.push(word);
  }
  if (words.length > 0) return [readExpression(words, line)];
  line.problems.error(open.at, "there is nothing between the braces");
  return undefined;
}

function findAcl({ value, at }: Word, line: Line, acls: Acls): readonly Expression[] | undefined {
  const known = acls.get(value);
  if (known !== undefined) return known;
  if (value === "TRUE" || value === "FALSE") return [{ kind: "always", value: value === "TRUE" }];
  if (PREDEFINED_ACLS.has(value)) return [{ kind: "not-yet", fetch: value }];
  if (value.startsWith("{")) {
    line.problems.error(
      at,
      `"${value}" is read as the name of an ACL`,
      'leave a space behind "{" and before "}"',
    );
    line.rest();
    return undefined;
  }
  line.problems.error(
    at,
    `there is no ACL "${value}" above this line`,
    didYouMean(value, [...acls.keys(), ...PREDEFINED_ACLS]) ??
      "an ACL must stand above the lines that use it",
  );
  return undefined;
}

/** `unless`: not (a b or c) = !a !c or !b !c. */
function turned(alternatives: Condition): Condition {
  let result: Literal[][] = [[]];
  for (const alternative of alternatives) {
    result = result.flatMap((sofar) =>
      alternative.map((literal) => [...sofar, { ...literal, negate: !literal.negate }]),
    );
  }
  return result;
}

/** A condition as a rule can ask it: a server name among some, but none of some others, or the reverse of it. */
export interface NameRule {
  readonly from: NameSource;
  readonly names: readonly Located<ServerNamePattern>[];
  readonly except: readonly Located<ServerNamePattern>[];
  readonly negate: boolean;
}

/** What a condition of `use_backend` comes to: rules of which one must hold, always, or never. */
export type Choice =
  | { readonly kind: "rules"; readonly rules: readonly NameRule[] }
  | { readonly kind: "always" };

/** @returns undefined when backends cannot be chosen so; the reason is told. */
export function chooseByName(condition: Condition, backend: string, line: Line): Choice | undefined {
  const rules: NameRule[] = [];
  for (const alternative of condition) {
    const rule = nameRule(alternative, backend, line);
    if (rule === undefined) return undefined;
    if (rule === "always") return { kind: "always" };
    if (rule === "never") continue;
    const last = rules.at(-1);
    if (last !== undefined && isPlain(last) && isPlain(rule) && last.from === rule.from) {
      rules[rules.length - 1] = { ...last, names: [...last.names, ...rule.names] };
    } else rules.push(rule);
  }
  if (rules.length === 0) {
    line.problems.error(line.keyword.at, "this condition never holds", "remove the line");
    return undefined;
  }
  return { kind: "rules", rules };
}

function isPlain(rule: NameRule): boolean {
  return !rule.negate && rule.except.length === 0;
}

function nameRule(
  literals: readonly Literal[],
  backend: string,
  line: Line,
): NameRule | "always" | "never" | undefined {
  const wanted: (readonly Located<ServerNamePattern>[])[] = [];
  const unwanted: Located<ServerNamePattern>[] = [];
  const sources = new Set<NameSource>();
  for (const literal of literals) {
    const names: Located<ServerNamePattern>[] = [];
    let constant = false;
    for (const expression of literal.expressions) {
      if (expression.kind === "broken") return undefined;
      if (expression.kind === "always") constant ||= expression.value;
      else if (expression.kind === "name") {
        sources.add(expression.from);
        names.push(...expression.names);
      } else {
        refuseExpression(expression, literal.at, backend, line);
        return undefined;
      }
    }
    if (constant || names.length === 0) {
      if (constant === literal.negate) return "never";
    } else if (literal.negate) unwanted.push(...names);
    else wanted.push(names);
  }
  const [from] = sources;
  if (from === undefined) return "always";
  if (sources.size > 1) {
    notYet(line.problems, line.keyword.at, "a condition on both ssl_fc_sni and req.ssl_sni");
    return undefined;
  }
  if (wanted.length === 0) return { from, names: unwanted, except: [], negate: true };
  return narrow(from, wanted, unwanted, line);
}

/** Several lists of which each must hold: exact names are sifted by the others; two that are open cannot be joined. */
function narrow(
  from: NameSource,
  wanted: readonly (readonly Located<ServerNamePattern>[])[],
  unwanted: readonly Located<ServerNamePattern>[],
  line: Line,
): NameRule | "never" | undefined {
  const exact = wanted.find((names) => names.every(({ value }) => value.kind === "exact"));
  if (exact === undefined) {
    if (wanted.length === 1) return { from, names: wanted[0]!, except: unwanted, negate: false };
    notYet(
      line.problems,
      line.keyword.at,
      "a condition that joins several patterns of a name",
      "write one regular expression (-m reg)",
    );
    return undefined;
  }
  const names = exact.filter(({ value }) => {
    if (value.kind !== "exact") return false;
    const matches = (patterns: readonly Located<ServerNamePattern>[]) =>
      patterns.some((pattern) => matchesServerName(pattern.value, value.value));
    return wanted.every(matches) && !matches(unwanted);
  });
  return names.length === 0 ? "never" : { from, names, except: [], negate: false };
}

function refuseExpression(
  expression: Exclude<Expression, { kind: "name" | "always" | "broken" }>,
  at: Position,
  backend: string,
  line: Line,
): void {
  if (expression.kind === "request") {
    line.problems.error(
      at,
      `a backend cannot be chosen by ${expression.fetch}: one connection leads to one backend for its whole life`,
      `write "use_backend ${backend} if { ${expression.instead} }", with a host name for each backend, or run this file with --engine haproxy`,
    );
    return;
  }
  const what = expression.kind === "hello" ? "req.ssl_hello_type" : expression.fetch;
  notYet(line.problems, at, `choosing a backend by ${what}`, "choose by ssl_fc_sni or req.ssl_sni");
}
