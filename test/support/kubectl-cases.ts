import type { KubectlVersion } from "./kubectl.ts";
import type { KubectlCase } from "./kubectl-case.ts";
import { living } from "./kubectl-cases-living.ts";
import { people } from "./kubectl-cases-people.ts";
import { reading } from "./kubectl-cases-reading.ts";
import { streaming } from "./kubectl-cases-streaming.ts";
import { writing } from "./kubectl-cases-writing.ts";

/**
 * What real kubectl must be able to do, directly and through a gate. They run in this order; the whole table leaves the
 * sandbox as it found it, so that it can run again. It expects a sandbox that logs at least ten lines a second.
 */
export const kubectlCases: readonly KubectlCase[] = [
  ...reading,
  ...writing,
  ...living,
  ...streaming,
  ...people,
];

export function casesFor(version: KubectlVersion): readonly KubectlCase[] {
  return kubectlCases.filter((given) => given.versions?.includes(version) !== false);
}
