import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseAlpn } from "./alpn.ts";

const BOTH = ["h2", "http/1.1"];

for (const row of [
  {
    rule: "h2 where client, bind and server speak it",
    client: BOTH,
    bind: BOTH,
    server: BOTH,
    answer: "h2",
    offer: ["h2"],
    ask: false,
  },
  {
    rule: "HTTP/1.1 where the server speaks nothing else",
    client: BOTH,
    bind: BOTH,
    server: ["http/1.1"],
    answer: "http/1.1",
    offer: ["http/1.1"],
    ask: false,
  },
  {
    rule: "no ALPN from the client means HTTP/1.1 on both legs (kubectl exec)",
    client: undefined,
    bind: BOTH,
    server: BOTH,
    answer: undefined,
    offer: ["http/1.1"],
    ask: false,
  },
  {
    rule: "a bind without ALPN answers none",
    client: BOTH,
    bind: [],
    server: BOTH,
    answer: undefined,
    offer: ["http/1.1"],
    ask: false,
  },
  {
    rule: "a server not known yet is asked first",
    client: BOTH,
    bind: BOTH,
    server: undefined,
    answer: "h2",
    offer: BOTH,
    ask: true,
  },
  {
    rule: "the bind's order counts, not the client's",
    client: ["http/1.1", "h2"],
    bind: BOTH,
    server: BOTH,
    answer: "h2",
    offer: ["h2"],
    ask: false,
  },
  {
    rule: "a client that offers only unknown protocols is refused by TLS",
    client: ["acme-tls/1"],
    bind: BOTH,
    server: BOTH,
    answer: "h2",
    offer: [],
    ask: false,
  },
  {
    rule: "an h2-only client of an HTTP/1.1 server is refused by TLS",
    client: ["h2"],
    bind: BOTH,
    server: ["http/1.1"],
    answer: "http/1.1",
    offer: [],
    ask: false,
  },
]) {
  test(row.rule, () => {
    assert.deepEqual(chooseAlpn(row.client, row.bind, row.server), {
      answer: row.answer,
      offer: row.offer,
      askServer: row.ask,
    });
  });
}
