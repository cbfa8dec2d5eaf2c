import type { Located } from "./position.ts";
import type { Problems } from "./problems.ts";

/** Two of a kind with one name; a frontend and a backend may share theirs. */
export function reportTwice(things: readonly { readonly name: Located<string> }[], problems: Problems): void {
  const first = new Map<string, Located<string>>();
  for (const { name } of things) {
    const earlier = first.get(name.value);
    if (earlier === undefined) {
      first.set(name.value, name);
      continue;
    }
    problems.error(
      name.at,
      `the name "${name.value}" is already taken in line ${earlier.at.line}`,
      "give one of them another name",
    );
  }
}
