/**
 * model/: what is wanted. Plain types without behaviour beyond comparing and checking them.
 * Start at configuration.ts (what an engine is given); position.ts and diagnostic.ts are how a person hears of mistakes;
 * server-name.ts is the one rule by which a name matches.
 * Knows nothing of files, formats, sockets.
 */
export * from "./configuration.ts";
export * from "./diagnostic.ts";
export * from "./position.ts";
export * from "./server-name.ts";
