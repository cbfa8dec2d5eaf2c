/**
 * tasks/: journeys a command takes a person through. configure.ts reads a file into a configuration with its
 * certificates and every problem; surroundings.ts asks this machine about it; run.ts runs a gate until a signal; demo/
 * shows the whole on one machine.
 * Knows nothing of flags and terminals.
 */
export * from "./configure.ts";
export * from "./demo/index.ts";
export * from "./failure.ts";
export * from "./run.ts";
export * from "./surroundings.ts";
