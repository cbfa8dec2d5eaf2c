import { type DraftRoute, didYouMean, type Position } from "../../model/index.ts";
import { type Expression, readExpression } from "./acl.ts";
import { chooseByName, type NameRule, readCondition } from "./condition.ts";
import { PREDEFINED_ACLS } from "./keywords.ts";
import { type Line, notYet } from "./line.ts";
import type { ReadProxy } from "./settings.ts";
import { readTimeMs } from "./units.ts";
import type { Word } from "./words.ts";

/** `acl NAME FETCH …`; lines with one name add up (manual §7.1). */
export function readAcl({ acls }: ReadProxy, line: Line): void {
  const name = line.expect("the name of the ACL", "acl NAME ssl_fc_sni -i api.example.com");
  if (name === undefined) return;
  const words = line.rest();
  if (name.value === "or" || !/^[\w.:-]+$/.test(name.value)) {
    line.problems.error(name.at, `"${name.value}" is no name for an ACL`, "letters, digits, and . : _ -");
    return;
  }
  if (PREDEFINED_ACLS.has(name.value)) {
    notYet(
      line.problems,
      name.at,
      `giving the predefined ACL "${name.value}" another meaning`,
      "use another name",
    );
    return;
  }
  if (words.length === 0)
    line.problems.error(
      line.end,
      "what the ACL asks for is missing",
      "such as: ssl_fc_sni -i api.example.com",
    );
  const expression: Expression = words.length === 0 ? { kind: "broken" } : readExpression(words, line);
  acls.set(name.value, [...(acls.get(name.value) ?? []), expression]);
}

/** `use_backend NAME [if|unless CONDITION]`: one route for each alternative that cannot be joined with the one before. */
export function readUseBackend(proxy: ReadProxy, line: Line): void {
  const backend = line.expect(
    "the name of the backend",
    "use_backend NAME if { ssl_fc_sni -i api.example.com }",
  );
  if (backend === undefined) return;
  if (backend.value.includes("%[")) {
    line.rest();
    notYet(
      line.problems,
      backend.at,
      "a backend whose name is computed",
      "write one use_backend for each name",
    );
    return;
  }
  const at = line.keyword.at;
  if (proxy.otherwise !== undefined) {
    line.problems.warning(
      at,
      `this rule is never reached: the one in line ${proxy.otherwise.at.line} always holds`,
    );
  }
  if (line.peek() === undefined) {
    proxy.otherwise ??= backend;
    return;
  }
  const condition = readCondition(line, proxy.acls);
  // The name is kept for the check of references, though the rule cannot be read.
  const choice = condition && chooseByName(condition, backend.value, line);
  if (choice === undefined) {
    proxy.routes.push({ at, names: [], except: [], negate: false, backend, tls: "terminate" });
  } else if (choice.kind === "always") proxy.otherwise ??= backend;
  else if (proxy.otherwise === undefined)
    proxy.routes.push(...choice.rules.map((rule) => route(rule, at, backend)));
}

function route({ from, ...rule }: NameRule, at: Position, backend: Word): DraftRoute {
  return { at, ...rule, backend, tls: from === "terminated" ? "terminate" : "passthrough" };
}

/** `tcp-request inspect-delay TIME` and `tcp-request content accept if { req.ssl_hello_type 1 }` (manual §4.2). */
export function readTcpRequest(proxy: ReadProxy, line: Line): void {
  const what = line.expect('what "tcp-request" is about');
  if (what === undefined) return;
  if (what.value === "inspect-delay") {
    const delay = readTimeMs(line, "inspect-delay", 1);
    if (delay !== undefined) proxy.inspectDelayMs = delay;
    return;
  }
  if (what.value === "content" && line.peek()?.value === "accept" && line.peek(1) !== undefined) {
    line.next();
    const condition = readCondition(line, proxy.acls);
    if (condition === undefined) return;
    const expressions = condition.flat().flatMap((literal) => (literal.negate ? [] : literal.expressions));
    if (
      condition.length === 1 &&
      condition[0]!.length === 1 &&
      expressions.length > 0 &&
      expressions.every(({ kind }) => kind === "hello")
    ) {
      proxy.waitsForHello = true;
      return;
    }
    notYet(
      line.problems,
      what.at,
      "tcp-request content accept with this condition",
      "{ req.ssl_hello_type 1 } is understood",
    );
    return;
  }
  const action = line.rest()[0]?.value;
  if (["connection", "session", "content"].includes(what.value)) {
    notYet(line.problems, what.at, `"tcp-request ${[what.value, action].filter(Boolean).join(" ")}"`);
  } else {
    line.problems.error(
      what.at,
      `unknown keyword "tcp-request ${what.value}"`,
      didYouMean(what.value, ["inspect-delay", "content", "connection", "session"]),
    );
  }
}
