/**
 * gate/http2/: the h2 part of a lane. Frames go from one leg to the other as they came; heads are read on the way.
 * Start at relay.ts (a lane's life), then client-side.ts and server-side.ts (what is done with each frame).
 * exchange.ts holds what both share; outlet.ts is the way out to a leg; blocks.ts sends header blocks on, as they came or
 * anew; heads.ts judges a request's head; windows.ts, floods.ts, goaway.ts, settings.ts, timeouts.ts hold a rule each.
 * Knows no socket and no logger; wire/http2 knows the bytes.
 */
export { createHttp2Relay } from "./relay.ts";
