/**
 * How a rule matches the server name (SNI) of a client.
 * Names are compared in lower case without a trailing dot: DNS names have no case (RFC 4343), although HAProxy's
 * `-m str` compares bytes.
 */
export type ServerNamePattern =
  | { readonly kind: "exact"; readonly value: string }
  /** `*.example.com`: one label in place of the star, as in a certificate (RFC 6125 §6.4.3). */
  | { readonly kind: "wildcard"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "suffix"; readonly value: string }
  | { readonly kind: "substring"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string }
  /** Any server name at all (`-m found`). */
  | { readonly kind: "any" };

/** Lower case, no trailing dot. */
export function normalServerName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** @param name  the client's server name, already normal; undefined when it sent none. */
export function matchesServerName(pattern: ServerNamePattern, name: string | undefined): boolean {
  if (name === undefined) return false;
  switch (pattern.kind) {
    case "any":
      return true;
    case "exact":
      return name === pattern.value;
    case "wildcard": {
      const dot = name.indexOf(".");
      return dot > 0 && name.slice(dot) === pattern.value.slice(1);
    }
    case "prefix":
      return name.startsWith(pattern.value);
    case "suffix":
      return name.endsWith(pattern.value);
    case "substring":
      return name.includes(pattern.value);
    case "regex":
      return new RegExp(pattern.value, "i").test(name);
  }
}

/** Whether a route's rule holds for a name: one of `names`, none of `except`, and all of it turned round by `negate`. */
export function matchesRoute(
  route: {
    readonly names: readonly ServerNamePattern[];
    readonly except?: readonly ServerNamePattern[];
    readonly negate: boolean;
  },
  name: string | undefined,
): boolean {
  const within = route.names.some((pattern) => matchesServerName(pattern, name));
  const without = within && route.except?.some((pattern) => matchesServerName(pattern, name)) === true;
  return (within && !without) !== route.negate;
}
