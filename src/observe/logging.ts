import type { GateEvent, HeadSeen, LaneEnded, LaneFacts, RequestEnded, Tell } from "../events/index.ts";
import { redactHeader, redactTarget, redactText } from "../kubernetes/index.ts";
import type { Backend, Configuration, Frontend, FrontendLog, LogLevel, LogTarget } from "../model/index.ts";
import { createDatagramSink } from "./datagram-sink.ts";
import {
  type ConnectShare,
  connectLine,
  emptyHttpLine,
  handshakeLine,
  httpLine,
  safe,
  serverLine,
  tcpLine,
} from "./haproxy-lines.ts";
import {
  handshakeJson,
  laneJson,
  noticeJson,
  requestJson,
  serverJson,
  serverNoteJson,
} from "./json-lines.ts";
import type { OnProblem, Sink } from "./sink.ts";
import { createStreamSink, type LogStream } from "./stream-sink.ts";
import { SEVERITIES, type SyslogHeader, syslogHeader } from "./syslog.ts";

export interface LoggingOptions {
  readonly configuration: Configuration;
  /** Stands in syslog lines. */
  readonly pid: number;
  readonly stdout: LogStream;
  readonly stderr: LogStream;
  /** Trouble of the logs themselves, in words; on stderr unless given. */
  readonly onProblem?: OnProblem;
  /** ms since 1970; the machine's clock unless given. */
  readonly wallClock?: () => number;
}

export interface Logging {
  readonly tell: Tell;
  /** Resolves when all that was told so far is written or lost; after 2 s at the latest. */
  flush(): Promise<void>;
  /** Flushes, and lets go of the sockets. */
  close(): Promise<void>;
}

/**
 * The access log and the diary of the servers. Every line of a frontend goes to its targets in its format; what
 * happens to servers and to the process goes to the targets concerned and always to stderr, in words a person can act
 * on. A line is made only when a target wants it.
 */
export function createLogging(options: LoggingOptions): Logging {
  return new Log(options);
}

/** The same note about a server is told again only after this long: a dial may fail for each of a thousand clients. */
export const NOTE_AGAIN_MS = 30_000;
const NOTES_MAX = 1000;

/** One target of one frontend, opened. */
interface Channel {
  /** Equal for equal places: a place gets each line about a server once. */
  readonly key: string;
  readonly kind: LogTarget["kind"];
  readonly sink: Sink;
  /** Numbers above it are left out. */
  readonly severityMax: number;
  /** Undefined: the bare message. */
  readonly header: SyslogHeader | undefined;
  readonly json: boolean;
}

interface FrontendChannels {
  readonly frontend: Frontend;
  readonly channels: readonly Channel[];
  /** The access log is of level info: whether anybody takes that. */
  readonly wanted: boolean;
}

class Log implements Logging {
  readonly #options: LoggingOptions;
  readonly #wallClock: () => number;
  readonly #onProblem: OnProblem;
  readonly #stderr: Sink;
  readonly #sinks = new Map<string, Sink>();
  readonly #frontends = new Map<string, FrontendChannels>();
  readonly #everywhere: readonly Channel[];
  readonly #byBackend = new Map<string, readonly Channel[]>();
  /** How many retries of a lane are told already; what came since belongs to the next request. */
  readonly #retriesTold = new WeakMap<LaneFacts, number>();
  readonly #notes = new Map<string, number>();

  constructor(options: LoggingOptions) {
    this.#options = options;
    this.#wallClock = options.wallClock ?? Date.now;
    this.#onProblem = options.onProblem ?? ((sentence) => this.#stderr.write(`postern: ${safe(sentence)}`));
    this.#stderr = this.#stream("stderr");
    const { frontends, backends } = options.configuration;
    for (const frontend of frontends) {
      const channels = frontend.log.targets.map((target) => this.#open(target, frontend.log));
      const wanted = channels.some((channel) => channel.severityMax >= SEVERITIES.info);
      this.#frontends.set(frontend.name, { frontend, channels, wanted });
    }
    this.#everywhere = distinct([...this.#frontends.values()].flatMap(({ channels }) => channels));
    for (const name of backends.keys()) {
      const users = [...this.#frontends.values()].filter(({ frontend }) => leadsTo(frontend, name));
      const channels = distinct(users.flatMap((user) => user.channels));
      this.#byBackend.set(name, users.length === 0 ? this.#everywhere : channels);
    }
  }

  /** Bound, so that it can be handed on by itself. */
  readonly tell: Tell = (event: GateEvent): void => {
    switch (event.kind) {
      case "request":
        this.#request(event);
        return;
      case "lane":
        this.#lane(event);
        return;
      case "handshake": {
        const log = this.#frontends.get(event.frontend);
        if (log === undefined || (event.silent && log.frontend.log.dontLogNull)) return;
        this.#access(
          log,
          () => handshakeLine(event),
          () => handshakeJson(event),
        );
        return;
      }
      case "server": {
        const backend = this.#options.configuration.backends.get(event.backend);
        const line = () => serverLine(event, serverOf(backend, event.server), backend?.check.kind === "http");
        const json = () => serverJson(event, this.#wallClock());
        const state = event.up ? "up" : "down";
        const words = `server ${event.backend}/${event.server} is ${state}: ${event.detail}`;
        this.#diary(this.#channelsOf(event.backend), event.up ? "notice" : "alert", line, json, words);
        if (!event.up && event.activeLeft + event.backupLeft === 0) this.#lastServerGone(event.backend);
        return;
      }
      case "server-note": {
        if (!this.#isNew(`${event.backend}/${event.server} ${event.reason} ${event.detail}`)) return;
        const words = `server ${event.backend}/${event.server}: ${event.detail}`;
        const line = () => safe(redactText(`Server ${event.backend}/${event.server}: ${event.detail}`));
        const json = () => serverNoteJson(event, this.#wallClock());
        this.#diary(this.#channelsOf(event.backend), "notice", line, json, words);
        return;
      }
      case "notice": {
        const line = () => safe(redactText(event.text));
        const json = () => noticeJson(event, this.#wallClock());
        this.#diary(this.#everywhere, event.level, line, json, event.text);
        if (event.stack !== undefined) this.#stack(event.stack);
        return;
      }
      case "head":
        this.#head(event);
        return;
    }
  };

  async flush(): Promise<void> {
    await Promise.all(Array.from(this.#sinks.values(), (sink) => sink.flush()));
  }

  async close(): Promise<void> {
    // stderr last: the others may have something to complain about.
    const others = [...this.#sinks.values()].filter((sink) => sink !== this.#stderr);
    await Promise.all(others.map((sink) => sink.close()));
    await this.#stderr.close();
  }

  #request(event: RequestEnded): void {
    const log = this.#frontends.get(event.lane.frontend);
    if (log?.wanted !== true) return;
    const { format, dontLogNull } = log.frontend.log;
    if (event.method === undefined && event.bytesFromClient === 0 && dontLogNull) return;
    const share = this.#shareOf(event.lane);
    this.#access(
      log,
      () => {
        if (format !== "default") return httpLine(event, share);
        return event.method === undefined ? undefined : connectLine(event.lane, log.frontend);
      },
      () => requestJson(event, share),
    );
  }

  #lane(event: LaneEnded): void {
    const { lane } = event;
    const log = this.#frontends.get(lane.frontend);
    if (log === undefined) return;
    const { format, dontLogNull } = log.frontend.log;
    if (event.bytesFromClient === 0 && dontLogNull) return;
    // A frontend may terminate for one name and pass another through: what was passed through was no HTTP to the gate.
    const http = lane.frontendMode === "http" && (lane.tls || lane.serverName === undefined);
    this.#access(
      log,
      () => {
        if (format === "default") return http ? undefined : connectLine(lane, log.frontend);
        return http ? emptyHttpLine(event) : tcpLine(event);
      },
      () => laneJson(event),
    );
  }

  /** The wait for a connection belongs to the first request behind it. */
  #shareOf(lane: LaneFacts): ConnectShare {
    const told = this.#retriesTold.get(lane);
    this.#retriesTold.set(lane, lane.retries);
    if (told === undefined) return lane;
    const retries = lane.retries - told;
    // -1 stays what it is: nothing was reached, whichever request asks.
    return { queueMs: 0, connectMs: retries > 0 ? lane.connectMs : Math.min(lane.connectMs, 0), retries };
  }

  #lastServerGone(backend: string): void {
    const line = () => `backend ${backend} has no server available!`;
    const words = `backend ${backend} has no server left: requests for it are answered with 503 until one is up`;
    const json = () =>
      noticeJson(
        { kind: "notice", level: "alert", text: `backend ${backend} has no server available!` },
        this.#wallClock(),
      );
    this.#diary(this.#channelsOf(backend), "emerg", line, json, words);
  }

  /** A line of the access log, to the targets of its frontend that take level info. */
  #access(log: FrontendChannels, line: () => string | undefined, json: () => string): void {
    if (log.wanted) this.#write(log.channels, "info", line, json);
  }

  /** A line about a server or the process; on stderr in words, unless the line itself goes there. */
  #diary(
    channels: readonly Channel[],
    level: LogLevel,
    line: () => string,
    json: () => string,
    words: string,
  ): void {
    this.#write(channels, level, line, json);
    const there = channels.some((channel) => channel.kind === "stderr" && takes(channel, level));
    if (!there) this.#stderr.write(`postern: ${safe(redactText(words))}`);
  }

  /** Makes each of the two forms at most once. */
  #write(
    channels: readonly Channel[],
    level: LogLevel,
    line: () => string | undefined,
    json: () => string,
  ): void {
    let asLine: string | undefined;
    let asJson: string | undefined;
    for (const channel of channels) {
      if (!takes(channel, level)) continue;
      let message: string | undefined;
      if (channel.json) {
        asJson ??= json();
        message = asJson;
      } else {
        asLine ??= line();
        message = asLine;
      }
      if (message === undefined) continue;
      channel.sink.write(
        channel.header === undefined ? message : channel.header(level, this.#wallClock()) + message,
      );
    }
  }

  /**
   * A head as it passes, in the form of HAProxy ≤ 2.2 `debug`. Its secrets are gone already; they are taken out once
   * more, because this is the output where they used to leak.
   */
  #head(event: HeadSeen): void {
    const from = `${event.lane.laneId.toString(16).padStart(8, "0")}:${event.lane.frontend}.`;
    for (const line of event.lines) this.#stderr.write(from + safe(withoutSecrets(line)));
  }

  /** For who mends the gate; once in a while, since a client may know how to bring it about. */
  #stack(stack: string): void {
    if (!this.#isNew(stack)) return;
    for (const line of stack.split("\n")) this.#stderr.write(`postern: ${safe(redactText(line))}`);
  }

  #channelsOf(backend: string): readonly Channel[] {
    return this.#byBackend.get(backend) ?? this.#everywhere;
  }

  #isNew(note: string): boolean {
    const nowMs = this.#wallClock();
    const toldAtMs = this.#notes.get(note);
    if (toldAtMs !== undefined && nowMs - toldAtMs < NOTE_AGAIN_MS) return false;
    if (this.#notes.size >= NOTES_MAX) this.#notes.clear();
    this.#notes.set(note, nowMs);
    return true;
  }

  #open(target: LogTarget, log: FrontendLog): Channel {
    const { configuration, pid } = this.#options;
    const raw = target.kind !== "udp" && target.framing === "raw";
    const header = raw ? undefined : syslogHeader(target.facility, configuration.global.logTag, pid);
    const place =
      target.kind === "udp" ? `udp ${target.host} ${target.port} ${target.lengthMax}` : target.kind;
    return {
      key: raw ? place : `${place} ${target.facility}`,
      kind: target.kind,
      sink: target.kind === "udp" ? this.#datagrams(place, target) : this.#stream(target.kind),
      severityMax: SEVERITIES[target.level],
      header,
      json: log.format === "json",
    };
  }

  #stream(name: "stdout" | "stderr"): Sink {
    return this.#shared(name, () => createStreamSink(this.#options[name], name, this.#onProblem));
  }

  #datagrams(place: string, target: LogTarget & { readonly kind: "udp" }): Sink {
    return this.#shared(place, () => createDatagramSink(target, this.#onProblem));
  }

  #shared(place: string, create: () => Sink): Sink {
    const known = this.#sinks.get(place);
    if (known !== undefined) return known;
    const sink = create();
    this.#sinks.set(place, sink);
    return sink;
  }
}

function takes(channel: Channel, level: LogLevel): boolean {
  return SEVERITIES[level] <= channel.severityMax;
}

/** Of several channels to one place the most talkative stays. */
function distinct(channels: readonly Channel[]): readonly Channel[] {
  const places = new Map<string, Channel>();
  for (const channel of channels) {
    const known = places.get(channel.key);
    if (known === undefined || known.severityMax < channel.severityMax) places.set(channel.key, channel);
  }
  return [...places.values()];
}

function leadsTo(frontend: Frontend, backend: string): boolean {
  return frontend.defaultBackend === backend || frontend.routes.some((route) => route.backend === backend);
}

function serverOf(backend: Backend | undefined, name: string) {
  return backend?.servers.find((server) => server.name === name);
}

/** A line of a head: `Name: value`, or a request or status line. */
function withoutSecrets(line: string): string {
  const header = /^(:?[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s.exec(line);
  if (header === null) return line.split(" ").map(redactTarget).join(" ");
  const [, name = "", value = ""] = header;
  return `${name}: ${redactHeader(name, value)}`;
}
