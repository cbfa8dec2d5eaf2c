/** How a lane's protocol is settled with its client, and what is offered to its server. A lane never translates. */
export interface AlpnChoice {
  /** What the client is told; undefined: its ALPN extension, if any, is not answered, which means HTTP/1.1. */
  readonly answer: string | undefined;
  /** What the gate offers to the server; empty: no extension. */
  readonly offer: readonly string[];
  /** The server's protocols are not known yet: dial first and answer what it chose. */
  readonly askServer: boolean;
}

/**
 * Chooses for a lane of mode http.
 * @param clientOffers  the client's list; undefined: it sent none (kubectl's exec and port-forward), so HTTP/1.1
 * @param bindAlpn      what the bind may answer, best first
 * @param server        what the picked server speaks, best first; undefined: not known yet, or no server
 */
export function chooseAlpn(
  clientOffers: readonly string[] | undefined,
  bindAlpn: readonly string[],
  server: readonly string[] | undefined,
): AlpnChoice {
  if (clientOffers === undefined || bindAlpn.length === 0) {
    return { answer: undefined, offer: ["http/1.1"], askServer: false };
  }
  const common = bindAlpn.filter((protocol) => clientOffers.includes(protocol));
  // Nothing in common: TLS itself refuses, with the alert no_application_protocol (RFC 7301 §3.2).
  if (common.length === 0) return { answer: bindAlpn[0], offer: [], askServer: false };
  if (server === undefined) return { answer: common[0], offer: common, askServer: true };
  const spoken = common.find((protocol) => server.includes(protocol));
  // The server speaks only what this client does not: the client hears the same alert.
  if (spoken === undefined) return { answer: server[0], offer: [], askServer: false };
  return { answer: spoken, offer: [spoken], askServer: false };
}
