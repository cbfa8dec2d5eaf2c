import { FRAMING_RULES } from "./testing-framing.ts";
import { HEAD_RULES } from "./testing-heads.ts";

export type { RequestRule } from "./testing-rule.ts";

/** Every rule by which requests are read; request.test.ts holds our side of it, test/h1-haproxy.test.ts HAProxy's. */
export const REQUEST_RULES = [...HEAD_RULES, ...FRAMING_RULES];
