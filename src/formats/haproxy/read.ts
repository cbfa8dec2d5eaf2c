import { closest, type Diagnostic, type Draft, type Located, Problems } from "../../model/index.ts";
import { draftBackend, draftFrontend } from "./drafts.ts";
import { draftGlobal, readGlobal } from "./global.ts";
import { MENDS } from "./mends.ts";
import { readProxy } from "./proxy.ts";
import { readSections, type Section } from "./sections.ts";
import { noSettings, type ProxySettings, type ReadProxy } from "./settings.ts";
import { adviseOnLongTimeouts } from "./timeouts.ts";
import { type Environment, readWords } from "./words.ts";

/**
 * Reads a haproxy.cfg (HAProxy manual §2 to §5). Never throws for what a person wrote: every mistake is a problem with its
 * place, and what could be understood is in the draft, so that `settle` finds the mistakes in its references as well.
 * @param text  the file; @param file its name for messages; @param env what `"$NAME"` stands for
 */
export function readHaproxy(
  text: string,
  file: string,
  env: Environment,
): { readonly draft: Draft; readonly problems: readonly Diagnostic[] } {
  const problems = new Problems();
  const sections = readSections(readWords(text, file, env, problems), problems);
  // A line that could not even be cut may be the one that is missed later.
  const builtIn = problems.errors === 0 ? noSettings() : { ...noSettings(), incomplete: true };
  const global = readGlobal(
    sections.filter(({ kind }) => kind === "global"),
    problems,
  );
  const proxies = readProxies(sections, global, builtIn, problems);
  adviseOnLongTimeouts(proxies, global.hardStopAfterMs !== undefined, problems);
  const draft: Omit<Draft, "complete"> = {
    mends: MENDS,
    global: draftGlobal(global),
    frontends: proxies
      .filter(({ place }) => place !== "B")
      .map((proxy) => draftFrontend(proxy, global, problems)),
    backends: proxies
      .filter(({ place, servers }) => place === "B" || (place === "L" && servers.length > 0))
      .map((proxy) => draftBackend(proxy, problems)),
  };
  return { draft: { ...draft, complete: problems.errors === 0 }, problems: problems.list };
}

/** Proxies take what the latest `defaults` above them says, or the one they name with `from` (manual §4). */
function readProxies(
  sections: readonly Section[],
  global: Parameters<typeof readProxy>[3],
  builtIn: ProxySettings,
  problems: Problems,
): ReadProxy[] {
  const proxies: ReadProxy[] = [];
  const named = new Map<string, ProxySettings>();
  let latest = builtIn;
  for (const section of sections) {
    if (section.kind === "global") continue;
    const errorsBefore = problems.errors;
    const name = readName(section, problems);
    const from = readFrom(section, named, problems);
    section.header.done();
    const start = from ?? (section.kind === "defaults" ? builtIn : latest);
    const inherited = problems.errors === errorsBefore ? start : { ...start, incomplete: true };
    if (section.kind === "defaults") {
      latest = readProxy(section, name, inherited, global).settings;
      if (name.value !== "") named.set(name.value, latest);
    } else proxies.push(readProxy(section, name, inherited, global));
  }
  return proxies;
}

function readName({ kind, header }: Section, problems: Problems): Located<string> {
  const here = { value: "", at: header.keyword.at };
  if (kind === "defaults" && (header.peek() === undefined || header.peek()?.value === "from")) return here;
  const name = header.expect(`the name of the ${kind}`, `${kind} NAME`);
  if (name === undefined) return here;
  if (!/^[\w.:-]+$/.test(name.value)) {
    problems.error(name.at, `"${name.value}" is no name for a ${kind}`, "letters, digits, and . : _ -");
  }
  return name;
}

function readFrom(
  { header }: Section,
  named: ReadonlyMap<string, ProxySettings>,
  problems: Problems,
): ProxySettings | undefined {
  if (header.peek()?.value !== "from") return undefined;
  header.next();
  const name = header.expect("the name of the defaults section");
  if (name === undefined) return undefined;
  const settings = named.get(name.value);
  if (settings !== undefined) return settings;
  const near = closest(name.value, named.keys());
  problems.error(
    name.at,
    `there is no defaults section "${name.value}" above this line`,
    near === undefined ? undefined : `did you mean "${near}"?`,
  );
  return undefined;
}
