import { createSecureContext } from "node:tls";
import type { ReasonCode } from "../events/index.ts";
import type { Check } from "../model/index.ts";
import { type DialFailure, failed } from "./failure.ts";
import { afterCheck, checkIntervalMs, FRESH, type Health, isUp } from "./health.ts";
import { askStatus, type HttpCheck, judgeStatus, type NoStatus, writeCheckRequest } from "./http-check.ts";
import { learnProtocols } from "./learn.ts";
import { type ReachTls, reach, writeAddress } from "./reach.ts";
import { HostAddresses } from "./resolve.ts";
import { type Attendant, type PoolServer, serverNameToSend } from "./server.ts";
import type { ServerTrust } from "./trust.ts";

/** One check's result. */
type Finding =
  /** `note`: alive, with something to be said once. */
  { readonly kind: "passed"; readonly what: string; readonly note: string | undefined } | DialFailure;

/** Of the interval, either way, so that checks that fell together drift apart. */
const JITTER = 0.05;

/**
 * Checks one server for as long as its pool runs (HAProxy manual §5.2 `check`, §4.2 `option httpchk`). A TLS check is a
 * full handshake with full verification: a server whose certificate the gate would refuse is down.
 */
export class Checks implements Attendant {
  readonly #server: PoolServer;
  readonly #check: Check;
  /** Where checks go: the server's own address, or the one the check names. */
  readonly #host: HostAddresses;
  readonly #port: number;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #health: Health = FRESH;
  #lastReason: ReasonCode | undefined;
  #noted = false;
  #learning = false;

  constructor(server: PoolServer, check: Check) {
    const { lookup, now } = server.around;
    this.#server = server;
    this.#check = check;
    this.#host = check.host === undefined ? server.host : new HostAddresses(check.host, lookup, now);
    this.#port = check.port ?? server.server.port;
  }

  start(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#round(), delayMs);
  }

  stop(): void {
    this.#over.abort();
    clearTimeout(this.#timer);
  }

  /** The checks find out by themselves; until then a dial goes to another server. */
  dialFailed(): void {}

  protocolsChanged(): void {
    void this.#learn();
  }

  async #round(): Promise<void> {
    const { now, random } = this.#server.around;
    const startedAt = now();
    const finding = await this.#look();
    if (this.#over.signal.aborted) return;
    const tookMs = now() - startedAt;
    this.#apply(finding, tookMs);
    const intervalMs = checkIntervalMs(this.#health, this.#check) * (1 + JITTER * (2 * random() - 1));
    this.#timer = setTimeout(() => void this.#round(), Math.max(intervalMs - tookMs, 0));
  }

  /** The one place where a finding becomes a state, and is told. */
  #apply(finding: Finding, tookMs: number): void {
    const server = this.#server;
    const wasUp = isUp(this.#health);
    this.#health = afterCheck(this.#health, finding.kind === "passed", this.#check);
    if (finding.kind === "failed") {
      if (wasUp && !isUp(this.#health)) server.change(false, finding.reason, finding.detail, tookMs);
      else if (!wasUp && finding.reason !== this.#lastReason) {
        server.stillDown(finding.reason, finding.detail);
      }
      this.#lastReason = finding.reason;
      return;
    }
    if (!wasUp && isUp(this.#health)) server.change(true, "check_passed", finding.what, tookMs);
    if (finding.note !== undefined && !this.#noted) server.note("check_forbidden", finding.note);
    this.#noted = finding.note !== undefined;
    if (server.alpn === undefined || (!wasUp && isUp(this.#health))) void this.#learn();
  }

  async #learn(): Promise<void> {
    if (this.#learning) return;
    this.#learning = true;
    // When it fails, so does the next check, which says why.
    await learnProtocols(this.#server, this.#over.signal);
    this.#learning = false;
  }

  async #look(): Promise<Finding> {
    const { around } = this.#server;
    const { connectMs, checkMs } = around.backend.timeouts;
    const { interMs } = this.#check;
    const method = around.backend.check;
    const startedAt = around.now();
    const tls = this.#tls(method.kind === "http");
    // Without `timeout check` the interval limits it all (HAProxy manual §4.2 `timeout check`).
    const reached = await reach({
      host: this.#host,
      port: this.#port,
      tls,
      limitMs: checkMs === undefined ? interMs : Math.min(connectMs ?? interMs, interMs),
      gone: this.#over.signal,
      wallClock: around.wallClock,
      up: isUp(this.#health),
    });
    if (reached.kind === "failed") return reached;
    const where = writeAddress(reached.address, this.#port);
    if (method.kind === "connect") {
      reached.connection.destroy();
      if (tls !== undefined) this.#compareProtocol(tls, reached.alpn);
      const what = tls === undefined ? "accepts connections" : "completes the TLS handshake";
      return { kind: "passed", what: `${where} ${what}`, note: undefined };
    }
    const limitMs = checkMs ?? Math.max(interMs - (around.now() - startedAt), 1);
    const request = writeCheckRequest(method, tls?.servername ?? this.#server.written);
    const status = await askStatus(reached.connection, request, limitMs, this.#over.signal);
    const question = `${method.method} ${method.path} at ${where}`;
    return typeof status === "number"
      ? this.#judgeAnswer(method, status, question, tls !== undefined)
      : noAnswer(status, question, limitMs);
  }

  /** @param http  the check speaks HTTP/1.1 inside; else it offers what lanes offer, and learns on the way */
  #tls(http: boolean): ReachTls | undefined {
    if (!this.#check.tls) return undefined;
    const server = this.#server;
    const alpn = http ? ["http/1.1"] : (server.server.tls?.alpn ?? []);
    const { sni } = this.#check;
    const want = { alpn, clientServerName: undefined, resume: false, ...(sni !== undefined && { sni }) };
    return server.tlsWant(want) ?? plainServerTls(sni);
  }

  #compareProtocol(tls: ReachTls, chosen: string | undefined): void {
    const known = this.#server.prefers;
    const elsewhere = this.#host !== this.#server.host || this.#port !== this.#server.server.port;
    if (known === undefined || elsewhere || !tls.alpn.includes("h2")) return;
    if ((known === "h2") !== (chosen === "h2")) void this.#learn();
  }

  #judgeAnswer(method: HttpCheck, status: number, question: string, tls: boolean): Finding {
    const verdict = judgeStatus(method, status);
    if (verdict === "passed") {
      return { kind: "passed", what: `${question} is answered with ${status}`, note: undefined };
    }
    if (verdict === "forbidden") {
      const note =
        `${question} is answered with ${status}: the server is alive, but does not let the check see whether it is ` +
        `ready; allow anonymous callers to read ${method.path}, or write "http-check expect status 200" to insist`;
      return { kind: "passed", what: note, note };
    }
    return failed(
      "check_status",
      `${question} is answered with ${status}${this.#adviceOn(method, status, tls)}`,
    );
  }

  #adviceOn(method: HttpCheck, status: number, tls: boolean): string {
    const wanted = method.expect.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
    const expected = `, expected ${wanted === "" ? "200-399" : wanted}`;
    if (status === 400 && !tls)
      return `${expected}: it may speak TLS only; add "ssl" (or "check-ssl") to the server`;
    if ((status === 401 || status === 403) && this.#server.around.backend.kubernetes) {
      return `${expected}: anonymous callers may not read it; let the check ask GET /readyz`;
    }
    if (status >= 500 && this.#server.around.backend.kubernetes) {
      return `${expected}: the API server is not ready; ask it why: kubectl get --raw '/readyz?verbose'`;
    }
    return `${expected}: compare the check's path with what the server offers`;
  }
}

/**
 * `check-ssl` on a server that lanes reach without TLS of ours (plain text, or TLS that passes through): its
 * certificate is the business of those at the ends, so the check only sees that TLS is spoken.
 */
function plainServerTls(sni: string | undefined): ReachTls {
  unverified ??= { context: createSecureContext(), verify: "none", caPath: undefined, caNames: [] };
  const policy = { trust: unverified, name: undefined };
  return { policy, servername: serverNameToSend(sni), alpn: [], tickets: undefined };
}

let unverified: ServerTrust | undefined;

function noAnswer(fault: NoStatus, question: string, limitMs: number): DialFailure {
  switch (fault) {
    case "timeout":
      return failed(
        "check_timeout",
        `${question} was not answered within ${Math.round(limitMs)} ms: the server accepts connections but hangs`,
      );
    case "closed":
      return failed("server_closed", `${question}: the server closed the connection without an answer`);
    case "not_http":
      return failed(
        "server_bad_response",
        `${question}: what came back is not HTTP/1; if the port speaks TLS, add "ssl" (or "check-ssl") to the server`,
      );
    case "gone":
      return failed("stopping", "the check was given up");
  }
}
