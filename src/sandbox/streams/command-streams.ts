import { type Duplex, Readable, Writable } from "node:stream";
import { SpdySession, type SpdyStream } from "../spdy/session.ts";
import { WebSocketConnection } from "../websocket/connection.ts";
import { closeCode } from "../websocket/frames.ts";
import type { Upgrade } from "./upgrade.ts";

/** Which streams the query of an exec or attach asks for. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** What a command runs on, whichever protocol carries it. */
export interface CommandStreams {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** JSON objects with Width and Height, one after the other. */
  readonly sizes?: Readable;
  /** Takes the final Status. */
  readonly error: Writable;
  /** Ends the connection once everything written has gone out. */
  finish(): void;
}

/** How long a SPDY client may take to open its streams (kubelet: DefaultStreamCreationTimeout). */
const openWaitMs = 30_000;

/** How long a client may keep the connection open after we have ended it. */
const lingerMs = 5_000;

/**
 * @param onOpen   all streams are there
 * @param onClose  the connection is gone; called once, also when the streams never came
 */
export function openCommandStreams(
  upgrade: Upgrade,
  wanted: WantedStreams,
  onOpen: (streams: CommandStreams) => void,
  onClose: () => void,
): void {
  if (upgrade.kind === "websocket")
    onOpen(webSocketStreams(upgrade.transport, upgrade.protocol, wanted, onClose));
  else awaitSpdyStreams(upgrade.transport, wanted, onOpen, onClose);
}

/** v4 and v5.channel.k8s.io: the first byte of a message is its channel (apimachinery pkg/util/remotecommand). */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

function webSocketStreams(
  transport: Duplex,
  protocol: string,
  wanted: WantedStreams,
  onClose: () => void,
): CommandStreams {
  const stdin = wanted.stdin ? new Inlet(() => connection.resume()) : undefined;
  const sizes = wanted.tty ? new Inlet(() => connection.resume()) : undefined;
  const canClose = protocol === "v5.channel.k8s.io";
  const connection = new WebSocketConnection(transport, "server", {
    onMessage: (message) => {
      const [number, subject] = message;
      if (number === channel.stdin) return stdin?.push(message.subarray(1));
      if (number === channel.resize) return sizes?.push(message.subarray(1));
      if (number === channel.close && subject === channel.stdin && canClose) stdin?.push(null);
      return true;
    },
    onClose: () => {
      stdin?.destroy();
      sizes?.destroy();
      onClose();
    },
  });
  const outlet = (number: number): Writable => channelOutlet(connection, number);
  // The kubelet tells that the streams are open by an empty message on the first of them.
  connection.send(
    Buffer.from([wanted.stdout ? channel.stdout : wanted.stderr ? channel.stderr : channel.error]),
  );
  return {
    ...(stdin !== undefined && { stdin }),
    ...(sizes !== undefined && { sizes }),
    ...(wanted.stdout && { stdout: outlet(channel.stdout) }),
    ...(wanted.stderr && !wanted.tty && { stderr: outlet(channel.stderr) }),
    error: outlet(channel.error),
    finish: () => connection.close(closeCode.normal),
  };
}

/** What is pushed into it comes out; `onRead` when there is room again. */
class Inlet extends Readable {
  private readonly onRead: () => void;

  constructor(onRead: () => void) {
    super();
    this.onRead = onRead;
    this.on("error", () => {});
  }

  override _read(): void {
    this.onRead();
  }
}

function channelOutlet(connection: WebSocketConnection, number: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      connection.send(Buffer.concat([Buffer.from([number]), chunk]));
      connection.whenWritable(done);
    },
  });
}

function awaitSpdyStreams(
  transport: Duplex,
  wanted: WantedStreams,
  onOpen: (streams: CommandStreams) => void,
  onClose: () => void,
): void {
  const expected = [
    "error",
    ...(wanted.stdin ? ["stdin"] : []),
    ...(wanted.stdout ? ["stdout"] : []),
    ...(wanted.stderr && !wanted.tty ? ["stderr"] : []),
    ...(wanted.tty ? ["resize"] : []),
  ];
  const found = new Map<string, SpdyStream>();
  const timer = setTimeout(() => transport.destroy(), openWaitMs).unref();
  const session = new SpdySession(transport, {
    role: "server",
    onStream: (stream) => {
      found.set((stream.headers.streamtype ?? "").toLowerCase(), stream);
      if (!expected.every((type) => found.has(type))) return;
      clearTimeout(timer);
      onOpen(spdyStreams(session, transport, found));
    },
    onClose: () => {
      clearTimeout(timer);
      onClose();
    },
  });
}

function spdyStreams(
  session: SpdySession,
  transport: Duplex,
  found: ReadonlyMap<string, SpdyStream>,
): CommandStreams {
  const stdin = found.get("stdin");
  const stdout = found.get("stdout");
  const stderr = found.get("stderr");
  const sizes = found.get("resize");
  for (const outgoing of [stdout, stderr, found.get("error")]) outgoing?.resume();
  return {
    ...(stdin !== undefined && { stdin }),
    ...(stdout !== undefined && { stdout }),
    ...(stderr !== undefined && { stderr }),
    ...(sizes !== undefined && { sizes }),
    error: found.get("error")!,
    finish: () => {
      session.close();
      setTimeout(() => transport.destroy(), lingerMs).unref();
    },
  };
}
