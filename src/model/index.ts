/**
 * model/: what is wanted. Plain types without behaviour beyond comparing and checking them.
 * Start at configuration.ts (what an engine is given); draft.ts is what a format makes of a text, and settle.ts turns it
 * into a configuration; position.ts, diagnostic.ts and problems.ts are how a person hears of mistakes;
 * server-name.ts is the one rule by which a name matches.
 * Knows nothing of files, formats, sockets.
 */
export * from "./configuration.ts";
export * from "./diagnostic.ts";
export * from "./draft.ts";
export * from "./position.ts";
export * from "./problems.ts";
export * from "./server-name.ts";
export * from "./settle.ts";
export * from "./suggest.ts";
