/**
 * events/: what happened, as data. event.ts has one type for each thing that is told; reasons.ts the one table from a
 * code to its sentence, HTTP status, metric label and termination state.
 * Knows nothing of who reads it.
 */
export * from "./event.ts";
export * from "./reasons.ts";
