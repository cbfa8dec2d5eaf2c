import * as tls from "node:tls";

/** A client that writes bytes as they are, after a real TLS handshake. */
export interface RawExchange {
  readonly port: number;
  /** Left out: no SNI. */
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  /** Written in one go. */
  readonly sends: string | Buffer;
  /** Once the answer matches: leave, by a reset or in order. */
  readonly leave?: { readonly on: RegExp; readonly how: "reset" | "end" };
  /** Once the answer matches, this follows. */
  readonly follow?: { readonly on: RegExp; readonly sends: string };
}

const LIMIT_MS = 15_000;

/**
 * Reads until the other side closes.
 * @returns what came; "" when the handshake was refused
 */
export async function exchange(given: RawExchange): Promise<string> {
  const socket = tls.connect({
    port: given.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ...(given.serverName !== undefined && { servername: given.serverName }),
    ALPNProtocols: [...(given.alpn ?? ["http/1.1"])],
  });
  let answer = "";
  let followed = false;
  const late = setTimeout(() => {
    answer += "\n(nothing more came, and it was not closed)";
    socket.destroy();
  }, LIMIT_MS);
  socket.on("error", () => {}); // a reset is an end as well; the test judges by what came
  socket.on("secureConnect", () => socket.write(given.sends));
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
    if (given.follow !== undefined && !followed && given.follow.on.test(answer)) {
      followed = true;
      socket.write(given.follow.sends);
    }
    if (given.leave?.on.test(answer)) {
      if (given.leave.how === "end") socket.end();
      else socket.destroy();
    }
  });
  await new Promise((resolve) => socket.once("close", resolve));
  clearTimeout(late);
  return answer;
}

/** The status of each answer; interim ones too. */
export function statuses(answer: string): readonly number[] {
  return [...answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
}
