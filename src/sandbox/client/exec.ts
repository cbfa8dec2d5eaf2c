import type { Duplex, Readable } from "node:stream";
import { listAt, parseJson, textAt } from "../json.ts";
import { SpdySession } from "../spdy/session.ts";
import { WebSocketConnection } from "../websocket/connection.ts";
import { acceptFor, newKey } from "../websocket/handshake.ts";
import { type ApiTarget, ClientError, type Upgraded, upgrade, within } from "./connect.ts";

/** By WebSocket as kubectl ≥ 1.31 asks, by SPDY as all before. */
export type StreamTransport = "websocket" | "spdy";

export interface ExecOptions {
  /** Default websocket. */
  readonly transport?: StreamTransport;
  readonly stdin?: string | Buffer;
  /** A terminal of that size; stderr then comes with stdout. */
  readonly tty?: { readonly columns: number; readonly rows: number };
  readonly container?: string;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs a command in a pod and waits for its end.
 * @param pod  `/api/v1/namespaces/NS/pods/NAME`
 * @throws ClientError when it is refused, cannot be run, or the connection breaks before its end is told
 */
export async function exec(
  target: ApiTarget,
  pod: string,
  command: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const path = `${pod}/exec?${queryOf(command, options)}`;
  let transport: Duplex | undefined;
  const run = async (): Promise<ExecResult> => {
    if (options.transport === "spdy") {
      const upgraded = await upgradeSpdy(target, path, ["v4.channel.k8s.io", "v3.channel.k8s.io"]);
      transport = upgraded.transport;
      return runOverSpdy(upgraded.transport, options);
    }
    const upgraded = await upgradeWebSocket(target, path, "v5.channel.k8s.io");
    transport = upgraded.transport;
    return runOverWebSocket(upgraded.transport, options);
  };
  return within(target, `exec of ${command[0]}`, run(), () => transport?.destroy());
}

function queryOf(command: readonly string[], options: ExecOptions): string {
  const query = new URLSearchParams();
  for (const word of command) query.append("command", word);
  if (options.container !== undefined) query.set("container", options.container);
  if (options.stdin !== undefined) query.set("stdin", "true");
  query.set("stdout", "true");
  query.set(options.tty === undefined ? "stderr" : "tty", "true");
  return query.toString();
}

/** @throws ClientError when the answer is no 101 that names the protocol asked for */
export async function upgradeWebSocket(target: ApiTarget, path: string, protocol: string): Promise<Upgraded> {
  const key = newKey();
  const upgraded = await upgrade(target, "GET", path, {
    upgrade: "websocket",
    "sec-websocket-key": key,
    "sec-websocket-version": "13",
    "sec-websocket-protocol": protocol,
  });
  const { headers } = upgraded.answer;
  if (headers["sec-websocket-accept"] !== acceptFor(key) || headers["sec-websocket-protocol"] !== protocol) {
    upgraded.transport.destroy();
    throw new ClientError(`the WebSocket was accepted without ${protocol}`, 101);
  }
  return upgraded;
}

export function upgradeSpdy(target: ApiTarget, path: string, protocols: string[]): Promise<Upgraded> {
  return upgrade(target, "POST", path, {
    upgrade: "SPDY/3.1",
    "content-length": "0",
    "x-stream-protocol-version": protocols,
  });
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

function runOverWebSocket(transport: Duplex, options: ExecOptions): Promise<ExecResult> {
  const received = new Map<number, Buffer[]>();
  const textOf = (channel: number): string => Buffer.concat(received.get(channel) ?? []).toString();
  return new Promise((resolve, reject) => {
    const connection = new WebSocketConnection(transport, "client", {
      onMessage: (message) => {
        const channel = message[0] ?? channels.error;
        const chunks = received.get(channel) ?? [];
        received.set(channel, chunks);
        chunks.push(message.subarray(1));
      },
      onClose: (_code, reason) => {
        const status = textOf(channels.error);
        if (status === "")
          return reject(new ClientError(`exec broke off before its end was told: ${reason}`));
        resolveWith(status, textOf(channels.stdout), textOf(channels.stderr), resolve, reject);
      },
    });
    if (options.tty !== undefined) connection.send(channelMessage(channels.resize, sizeText(options.tty)));
    if (options.stdin === undefined) return;
    connection.send(channelMessage(channels.stdin, options.stdin));
    connection.send(Buffer.from([channels.close, channels.stdin]));
  });
}

function channelMessage(channel: number, content: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from([channel]), Buffer.from(content)]);
}

function sizeText(size: { readonly columns: number; readonly rows: number }): string {
  return JSON.stringify({ Width: size.columns, Height: size.rows });
}

async function runOverSpdy(transport: Duplex, options: ExecOptions): Promise<ExecResult> {
  const session = new SpdySession(transport, { role: "client" });
  const error = session.open({ streamtype: "error" });
  const stdin = options.stdin === undefined ? undefined : session.open({ streamtype: "stdin" });
  const stdout = session.open({ streamtype: "stdout" });
  const stderr = options.tty === undefined ? session.open({ streamtype: "stderr" }) : undefined;
  const resize = options.tty === undefined ? undefined : session.open({ streamtype: "resize" });
  if (options.tty !== undefined) resize?.write(sizeText(options.tty));
  stdin?.end(options.stdin);
  for (const unread of [stdin, resize]) unread?.resume();
  const [status, out, err] = await Promise.all([
    readAll(error),
    readAll(stdout),
    stderr === undefined ? "" : readAll(stderr),
  ]);
  return new Promise((resolve, reject) => resolveWith(status, out, err, resolve, reject));
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ClientError(`exec broke off before its end was told: ${reason}`);
  }
  return Buffer.concat(chunks).toString();
}

function resolveWith(
  status: string,
  stdout: string,
  stderr: string,
  resolve: (result: ExecResult) => void,
  reject: (error: Error) => void,
): void {
  const value = parseJson(status);
  const exit = listAt(value, "details", "causes").find((cause) => textAt(cause, "reason") === "ExitCode");
  if (textAt(value, "status") === "Success") resolve({ stdout, stderr, exitCode: 0 });
  else if (exit !== undefined) resolve({ stdout, stderr, exitCode: Number(textAt(exit, "message")) });
  else reject(new ClientError(`exec failed: ${textAt(value, "message")}`));
}
