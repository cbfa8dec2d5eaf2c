/**
 * serve/: the process. engine.ts is what every engine can do; native.ts wires the rooms below into the native one: logs,
 * pools, guards, the gate, and is the one place where they meet. haproxy.ts is the second engine: real HAProxy.
 * Knows nothing of commands or terminals: what is written goes through what it is given.
 */
export type { Engine } from "./engine.ts";
export { type HaproxyEngine, startHaproxy } from "./haproxy.ts";
export { type NativeOptions, startNative } from "./native.ts";
