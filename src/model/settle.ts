import type { Backend, Configuration, Frontend } from "./configuration.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Draft } from "./draft.ts";
import { Problems } from "./problems.ts";
import { settleBackend } from "./settle-backend.ts";
import { checkBindConflicts } from "./settle-bind.ts";
import { settleFrontend } from "./settle-frontend.ts";
import { reportTwice } from "./settle-names.ts";

/** What became of a draft. */
export interface Settled {
  /** Left out when the draft was not complete or an error was found: then nothing may run. */
  readonly configuration?: Configuration;
  /** All that could be read in spite of errors: the files it names can be judged in the same pass. */
  readonly readable: Configuration;
  readonly problems: readonly Diagnostic[];
}

/**
 * Checks a draft as a whole (references, names used twice, addresses bound twice, modes, what is missing) and fills in
 * every default. One place for all formats. Opens no file and resolves no name: paths are looked at when they are loaded.
 */
export function settle(draft: Draft): Settled {
  const problems = new Problems();
  reportTwice(draft.frontends, problems);
  reportTwice(draft.backends, problems);
  checkBindConflicts(
    draft.frontends.flatMap((frontend) => frontend.binds),
    problems,
  );

  const backends = new Map<string, Backend>();
  for (const backend of draft.backends) {
    backends.set(backend.name.value, settleBackend(backend, draft.mends, problems));
  }
  const frontends: Frontend[] = draft.frontends.map((frontend) => settleFrontend(frontend, draft, problems));

  const readable = { global: settleGlobal(draft.global), frontends, backends };
  if (!draft.complete || problems.errors > 0) return { readable, problems: problems.list };
  return { configuration: readable, readable, problems: problems.list };
}

function settleGlobal(global: Draft["global"]): Configuration["global"] {
  return {
    logTag: global.logTag?.value ?? "haproxy",
    debug: global.debug?.value ?? false,
    ...(global.connectionsMax && { connectionsMax: global.connectionsMax.value }),
    ...(global.hardStopAfterMs && { hardStopAfterMs: global.hardStopAfterMs.value }),
  };
}
