import { REASONS, type ReasonCode } from "../../events/index.ts";
import type { Connection } from "../../socket/connection.ts";
import { ErrorCode, resetFrame, settingsFrame, windowUpdateFrame } from "../../wire/http2/index.ts";
import { localAnswer } from "../answer.ts";
import type { RelayContext } from "../relay.ts";
import { answerFrames } from "./answers.ts";
import { Floods } from "./floods.ts";
import { Farewell } from "./goaway.ts";
import { Outlet } from "./outlet.ts";
import { PeerSettings } from "./settings.ts";
import { type Stream, Streams } from "./streams.ts";
import { UnfinishedRequests } from "./unfinished.ts";
import { ClientWindow } from "./windows.ts";

/** Stands for the server of a lane that has none: whatever goes there is gone. */
const NOWHERE: Connection = {
  remoteAddress: "",
  remotePort: 0,
  handler: { data() {}, drain() {}, end() {}, closed() {} },
  write: () => true,
  pendingBytes: 0,
  pause() {},
  resume() {},
  end() {},
  destroy() {},
  destroyed: true,
};

/** What both directions of a lane share, and the acts on a stream that concern both. */
export class Exchange {
  readonly context: RelayContext;
  readonly server: Connection;
  /** No server could be reached: every request is answered here. */
  readonly isLocal: boolean;
  readonly toClient: Outlet;
  readonly toServer: Outlet;
  readonly streams = new Streams();
  readonly clientSettings = new PeerSettings();
  readonly serverSettings = new PeerSettings();
  readonly clientWindow = new ClientWindow();
  readonly farewell = new Farewell();
  readonly unfinished = new UnfinishedRequests();
  readonly clientFloods: Floods;
  readonly serverFloods: Floods;
  /** `context.now()` of this turn, in whole ms. */
  nowMs: number;
  /** DATA that was taken from a peer and not handed on: its connection window must be given back. */
  swallowedFromClient = 0;
  swallowedFromServer = 0;
  /** Requests told of so far. */
  requests = 0;
  /** Since when no stream is open. */
  idleSince: number;

  constructor(context: RelayContext) {
    this.context = context;
    this.isLocal = context.server === undefined;
    this.server = context.server ?? NOWHERE;
    this.toClient = new Outlet(context.client);
    this.toServer = new Outlet(this.server);
    this.nowMs = Math.floor(context.now());
    this.idleSince = this.nowMs;
    this.clientFloods = new Floods("client", this.nowMs);
    this.serverFloods = new Floods("server", this.nowMs);
  }

  /**
   * Answers a request in the server's place and ends it. Also after it went on: then the server must be told by a reset,
   * which is left to the caller.
   */
  answer(stream: Stream, code: ReasonCode, message?: string): void {
    const target = stream.target === "" ? undefined : stream.target;
    const answer = localAnswer(code, target, this.context.kubernetes, message);
    const bodyBytes = answer.body.length;
    // Nothing was sent on the stream yet, so its window is the initial one at least. A client that has no room for an
    // answer's few hundred bytes gets the status alone.
    const fits = () => bodyBytes <= this.clientSettings.initialWindow && this.clientWindow.borrow(bodyBytes);
    const sends = stream.method === "HEAD" ? "head" : fits() ? "body" : "none";
    const frames = answerFrames(stream.id, answer, sends);
    this.toClient.add(frames);
    if (!stream.clientDone) this.unfinished.add(stream.id, this.nowMs);
    stream.status = answer.status;
    stream.bytesToClient += frames.length;
    this.streams.endHere(stream.id);
    this.end(stream, REASONS[code].termination, code);
  }

  /** Resets a stream on both sides; whoever sends more on it talks to the wall. */
  reset(stream: Stream, clientCode: number, serverCode: number, reason: ReasonCode): void {
    this.toClient.add(resetFrame(stream.id, clientCode));
    this.resetAtServer(stream, serverCode);
    this.streams.endHere(stream.id);
    this.end(stream, REASONS[reason].termination, reason);
  }

  /** The server need not go on with what it was asked; nothing where it never was, or is done. */
  resetAtServer(stream: Stream, code: number): void {
    const done = stream.clientDone && stream.serverDone;
    if (stream.forwardedAt >= 0 && !done) this.toServer.add(resetFrame(stream.id, code));
  }

  /** The client broke a rule that concerns one stream (RFC 9113 §5.4.2). */
  breakOff(stream: Stream): void {
    this.clientFloods.reset(this.nowMs);
    this.reset(stream, ErrorCode.PROTOCOL_ERROR, ErrorCode.CANCEL, "protocol_error");
  }

  /** END_STREAM from the client. */
  clientDone(stream: Stream): void {
    stream.clientDone = true;
    if (stream.serverDone) this.end(stream, "--", undefined);
  }

  /** END_STREAM from the server. */
  serverDone(stream: Stream): void {
    stream.serverDone = true;
    if (stream.clientDone) this.end(stream, "--", undefined);
  }

  /**
   * Tells that a request is over and forgets it.
   * @param termination  two characters, as in `REASONS`
   */
  end(stream: Stream, termination: string, reason: ReasonCode | undefined): void {
    const { nowMs } = this;
    const { startedAt, forwardedAt, answeredAt } = stream;
    this.requests += 1;
    this.context.tell({
      kind: "request",
      lane: this.context.facts,
      startedAtMs: stream.startedAtMs,
      headMs: stream.headMs,
      responseMs: answeredAt < 0 || forwardedAt < 0 ? -1 : answeredAt - forwardedAt,
      totalMs: nowMs - startedAt,
      status: stream.status,
      bytesToClient: stream.bytesToClient,
      bytesFromClient: stream.bytesFromClient,
      method: stream.method === "" ? undefined : stream.method,
      target: stream.target === "" ? undefined : stream.target,
      authority: stream.authority,
      version: "HTTP/2.0",
      userAgent: stream.userAgent,
      termination: `${termination}--`,
      reason,
      counts: this.context.counts(),
      upgraded: false,
    });
    this.streams.close(stream);
    if (this.streams.size === 0) this.idleSince = nowMs;
  }

  /** What waits for the server's SETTINGS will wait in vain: an empty one of the gate's own goes before it. */
  sayPreface(): void {
    if (this.serverSettings.seen || !this.toClient.midFrame || this.toClient.keptBytes === 0) return;
    const preface = settingsFrame([]);
    this.toClient.pass(preface, 0, preface.length);
    this.toClient.frameEnds();
  }

  /** Writes what this turn has made, one write a leg. */
  flush(): void {
    if (this.swallowedFromClient > 0) {
      this.toClient.add(windowUpdateFrame(0, this.swallowedFromClient));
      this.swallowedFromClient = 0;
    }
    if (this.swallowedFromServer > 0) {
      this.toServer.add(windowUpdateFrame(0, this.swallowedFromServer));
      this.swallowedFromServer = 0;
    }
    if (!this.clientWindow.isOverdrawn) this.toClient.openDam();
    this.toServer.flush();
    this.toClient.flush();
  }
}
