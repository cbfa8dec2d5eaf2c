/**
 * formats/haproxy/: a haproxy.cfg as a person wrote it for HAProxy, read into a Draft with every mistake and its place.
 * Start at read.ts: words.ts cuts lines into words, sections.ts parts them, global.ts and proxy.ts read a line each by
 * tables of keywords, drafts.ts puts a proxy together. keywords.ts is what HAProxy knows; docs/haproxy.md says what of it
 * is understood, accepted or refused.
 * Knows nothing of files, environment, engines: text in, draft out.
 */
export { readHaproxy } from "./read.ts";
