import type { DraftServerTls } from "./draft.ts";
import type { Position } from "./position.ts";
import type { Problems } from "./problems.ts";

/** An error when the lowest version allowed is above the highest. */
export function checkVersions(
  tls: Pick<DraftServerTls, "minVersion" | "maxVersion">,
  at: Position,
  problems: Problems,
): void {
  const min = tls.minVersion?.value ?? "TLSv1.2";
  const max = tls.maxVersion?.value ?? "TLSv1.3";
  if (min <= max) return;
  problems.error(
    tls.maxVersion?.at ?? tls.minVersion?.at ?? at,
    `no TLS version is left: at least ${min} and at most ${max}`,
  );
}
