import type { Connection } from "../socket/index.ts";
import { dialTcp, dialTls } from "../socket/index.ts";
import {
  clientGone,
  type DialFailure,
  type DialProgress,
  explain,
  failed,
  tooSlow,
  unresolved,
} from "./failure.ts";
import type { HostAddresses } from "./resolve.ts";
import type { Tickets } from "./tickets.ts";
import { judgeServer, type Trusted, type VerifyPolicy } from "./verify.ts";

/** Between the starts of two attempts: "Connection Attempt Delay", RFC 8305 §5. */
const STAGGER_MS = 250;

export interface Reach {
  readonly host: HostAddresses;
  readonly port: number;
  /** Undefined: plain text. */
  readonly tls: ReachTls | undefined;
  /** TCP and TLS together; undefined: as long as the kernel goes on trying. */
  readonly limitMs: number | undefined;
  readonly gone: AbortSignal;
  /** Wall clock, ms since 1970. */
  readonly wallClock: () => number;
  /** Whether the server counts as up, which decides how soon its name is looked up again. */
  readonly up: boolean;
}

export interface ReachTls {
  readonly policy: VerifyPolicy;
  /** Sent as SNI; undefined: none. */
  readonly servername: string | undefined;
  readonly alpn: readonly string[];
  /** Undefined: always a full handshake, as a check must see the certificate of today. */
  readonly tickets: Tickets | undefined;
}

/** An open connection to a server that passed every check; paused, its handler to be set before the next event. */
export interface Reached {
  readonly kind: "reached";
  readonly connection: Connection;
  readonly address: string;
  readonly alpn: string | undefined;
  readonly resumed: boolean;
}

/** Resolves, connects, shakes hands and verifies, at whichever address is first to let it. */
export async function reach(want: Reach): Promise<Reached | DialFailure> {
  if (want.gone.aborted) return clientGone();
  const over = new AbortController();
  const stop = () => over.abort();
  const timer = want.limitMs === undefined ? undefined : setTimeout(stop, want.limitMs);
  want.gone.addEventListener("abort", stop, { once: true });
  try {
    const addresses = await unlessAborted(want.host.addresses(), over.signal);
    if (want.gone.aborted) return clientGone();
    if (addresses === undefined || addresses.length === 0) return unresolved(want.host, want.limitMs);
    const outcome = await raceAddresses(
      addresses,
      (address, signal) => attempt(want, address, signal),
      over.signal,
    );
    if (outcome.kind === "reached") want.host.worked(outcome.address);
    else want.host.failed(want.up);
    return outcome;
  } finally {
    clearTimeout(timer);
    want.gone.removeEventListener("abort", stop);
  }
}

/** One address, from the first SYN to the verdict. Never rejects. */
async function attempt(want: Reach, address: string, signal: AbortSignal): Promise<Reached | DialFailure> {
  const progress: DialProgress = {
    address: writeAddress(address, want.port),
    tls: want.tls !== undefined,
    connected: false,
  };
  try {
    if (want.tls !== undefined) return await attemptTls(want, want.tls, address, progress, signal);
    const connection = await dialTcp({ host: address, port: want.port, signal });
    return { kind: "reached", connection, address, alpn: undefined, resumed: false };
  } catch (error) {
    if (want.gone.aborted) return clientGone();
    return signal.aborted ? tooSlow(progress, want.limitMs) : explain(error, progress);
  }
}

async function attemptTls(
  want: Reach,
  tls: ReachTls,
  address: string,
  progress: DialProgress,
  signal: AbortSignal,
): Promise<Reached | DialFailure> {
  const { policy, servername, alpn, tickets } = tls;
  const kind = { servername, alpn };
  const ticket = tickets?.find(kind, policy, want.wallClock());
  let verdict: Trusted | undefined;
  let judgedAtMs = 0;
  let early: Buffer | undefined;
  const keep = (session: Buffer) => {
    // A session may come before its server was judged (TLS 1.2); it is kept only afterwards, or never.
    if (verdict === undefined) early = session;
    else tickets?.keep(kind, policy, { session, verdict, judgedAtMs });
  };
  const dialled = await dialTls({
    host: address,
    port: want.port,
    context: policy.trust.context,
    alpn,
    signal,
    onSession: keep,
    onConnect: () => {
      progress.connected = true;
    },
    ...(servername !== undefined && { servername }),
    ...(ticket !== undefined && { session: ticket.session }),
  });
  if (dialled.tls.resumed && ticket !== undefined) {
    // Found for this very policy and still in its time: the server proved that it is the one that was judged.
    verdict = ticket.verdict;
    judgedAtMs = ticket.judgedAtMs;
  } else {
    judgedAtMs = want.wallClock();
    const certificate = policy.trust.verify === "none" ? undefined : dialled.peerCertificate();
    const peer = { verifyCode: dialled.verifyCode, certificate, address: progress.address };
    const judged = judgeServer(peer, policy, judgedAtMs);
    if (judged.kind === "untrusted") {
      dialled.connection.destroy();
      return failed(judged.reason, judged.detail);
    }
    verdict = judged;
  }
  if (early !== undefined) keep(early);
  const { alpn: chosen, resumed } = dialled.tls;
  return { kind: "reached", connection: dialled.connection, address, alpn: chosen, resumed };
}

/**
 * Starts an attempt at each address in turn, the next when the last one failed or is slow (RFC 8305 §5, without its
 * sorting: getaddrinfo sorted already). The first that succeeds wins and the others are given up.
 * @param signal  gives all of them up
 */
function raceAddresses(
  addresses: readonly string[],
  attempt: (address: string, signal: AbortSignal) => Promise<Reached | DialFailure>,
  signal: AbortSignal,
): Promise<Reached | DialFailure> {
  const [only] = addresses;
  if (addresses.length === 1 && only !== undefined) return attempt(only, signal);
  return new Promise((resolve) => {
    const losers = new AbortController();
    const giveUp = () => losers.abort();
    signal.addEventListener("abort", giveUp, { once: true });
    const failures: DialFailure[] = [];
    let started = 0;
    let running = 0;
    let won = false;
    let timer: NodeJS.Timeout | undefined;

    const startNext = () => {
      clearTimeout(timer);
      const address = addresses[started];
      if (address === undefined || won || losers.signal.aborted) return;
      started += 1;
      running += 1;
      timer = setTimeout(startNext, STAGGER_MS);
      void attempt(address, losers.signal).then(finished);
    };
    const finished = (outcome: Reached | DialFailure) => {
      running -= 1;
      if (outcome.kind === "failed") {
        failures.push(outcome);
        if (!won) startNext();
        if (running === 0) settle(summary(failures));
      } else if (won) outcome.connection.destroy();
      else settle(outcome);
    };
    const settle = (outcome: Reached | DialFailure) => {
      if (won) return;
      won = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      losers.abort();
      resolve(outcome);
    };
    startNext();
  });
}

/** Several addresses failed: the first one's reason, and what became of the others. */
function summary(failures: readonly DialFailure[]): DialFailure {
  const [first, ...others] = failures;
  if (first === undefined) return clientGone();
  if (others.length === 0) return first;
  const never = failures.find((failure) => failure.retry === "never");
  return never ?? { ...first, detail: failures.map((failure) => failure.detail).join("; also: ") };
}

/** Gives up waiting, not the work: undefined when the signal fired first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

export function writeAddress(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
