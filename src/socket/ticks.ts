import { createHook } from "node:async_hooks";

let kept: object | undefined;

/**
 * Keeps `process.nextTick`, which streams call for every chunk, from becoming five times as slow for good.
 *
 * Node makes an object for each tick, and V8's optimised code for that relies on the object's hidden class. V8 frees a
 * hidden class that no object has any more: a few full collections in quiet moments, as every long-lived process has
 * them, and the code falls back to the runtime and stays there (200 against 1,000 ns a tick, Node 20 and 26; two ticks a
 * request). One such object that lives for ever holds the class. The hook, which is how to get one, is on for one tick.
 */
export function keepTicksFast(): void {
  if (kept !== undefined) return;
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === "TickObject") kept = resource;
    },
  });
  hook.enable();
  process.nextTick(() => {});
  hook.disable();
}
