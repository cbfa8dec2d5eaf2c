import { request as httpRequest } from "node:http";
import { connect as http2Connect } from "node:http2";
import type { Readable } from "node:stream";
import { at, isObject, type Json, listAt, parseJson, textAt } from "../json.ts";
import {
  type ApiTarget,
  authorization,
  ClientError,
  connectTls,
  readText,
  refusal,
  within,
  withoutQuery,
} from "./connect.ts";

export type HttpVersion = "1.1" | "2";

export interface RequestOptions {
  readonly http?: HttpVersion;
  readonly method?: string;
  readonly body?: string;
  readonly contentType?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
}

interface OpenAnswer {
  readonly status: number;
  readonly headers: Answer["headers"];
  readonly body: Readable;
}

/** One request on a connection of its own; whatever the answer's status. */
export async function request(
  target: ApiTarget,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const closers = new Closers();
  const work = open(target, path, options, closers).then(async ({ status, headers, body }) => {
    return { status, headers, text: await readText(body) };
  });
  return within(target, nameOf(path, options), work, () => closers.run());
}

/** The names of the objects at a path, and the version of the list. @throws ClientError also for any status but 200 */
export async function list(
  target: ApiTarget,
  path: string,
  http: HttpVersion = "2",
): Promise<{ names: string[]; resourceVersion: string }> {
  const answer = await request(target, path, { http });
  if (answer.status !== 200) throw refusal(`GET ${withoutQuery(path)}`, answer.status, answer.text);
  const value = parseJson(answer.text);
  return {
    names: listAt(value, "items").map((item) => textAt(item, "metadata", "name")),
    resourceVersion: textAt(value, "metadata", "resourceVersion"),
  };
}

export interface WatchEvent {
  readonly type: string;
  readonly name: string;
}

/**
 * Watches a path from now on and waits for one event.
 * @param cause  called once the watch is open: does what the event will tell of
 * @throws ClientError when the watch is refused or ends before an event
 */
export async function watchOne(
  target: ApiTarget,
  path: string,
  cause: () => Promise<unknown>,
  http: HttpVersion = "2",
): Promise<WatchEvent> {
  const { resourceVersion } = await list(target, path, http);
  const watchPath = `${path}?watch=true&resourceVersion=${resourceVersion}`;
  const closers = new Closers();
  const work = firstLine(target, watchPath, cause, http, closers).then((line): WatchEvent => {
    const event = parseJson(line);
    if (!isObject(event)) throw new ClientError(`a watch of ${path} brought something that is no event`);
    return { type: textAt(event, "type"), name: textAt(at(event, "object"), "metadata", "name") };
  });
  return within(target, `the watch of ${path}`, work, () => closers.run());
}

async function firstLine(
  target: ApiTarget,
  path: string,
  cause: () => Promise<unknown>,
  http: HttpVersion,
  closers: Closers,
): Promise<string> {
  const answer = await openStream(target, path, http, closers);
  const [line] = await Promise.all([readLines(answer.body, 1, withoutQuery(path)), cause()]);
  return line[0]!;
}

/**
 * Follows a pod's log.
 * @param path  …/pods/NAME/log
 * @param count  how many lines to wait for, those already written not counted
 * @throws ClientError when the log ends before
 */
export async function followLog(
  target: ApiTarget,
  path: string,
  count: number,
  http: HttpVersion = "2",
): Promise<string[]> {
  const closers = new Closers();
  const work = openStream(target, `${path}?follow=true&tailLines=0`, http, closers).then((answer) =>
    readLines(answer.body, count, path),
  );
  return within(target, `the log at ${path}`, work, () => closers.run());
}

async function openStream(
  target: ApiTarget,
  path: string,
  http: HttpVersion,
  closers: Closers,
): Promise<OpenAnswer> {
  const answer = await open(target, path, { http }, closers);
  if (answer.status === 200) return answer;
  throw refusal(`GET ${withoutQuery(path)}`, answer.status, await readText(answer.body));
}

function open(
  target: ApiTarget,
  path: string,
  options: RequestOptions,
  closers: Closers,
): Promise<OpenAnswer> {
  return options.http === "1.1"
    ? openHttp1(target, path, options, closers)
    : openHttp2(target, path, options, closers);
}

async function openHttp1(
  target: ApiTarget,
  path: string,
  options: RequestOptions,
  closers: Closers,
): Promise<OpenAnswer> {
  const socket = await connectTls(target, "http/1.1");
  closers.add(() => socket.destroy());
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      method: options.method ?? "GET",
      path,
      createConnection: () => socket,
      headers: { host: new URL(target.url).host, ...headersOf(target, options) },
    });
    outgoing.on("response", (body) => resolve({ status: body.statusCode ?? 0, headers: body.headers, body }));
    outgoing.on("error", (error) => reject(new ClientError(`${nameOf(path, options)}: ${error.message}`)));
    outgoing.end(options.body);
  });
}

async function openHttp2(
  target: ApiTarget,
  path: string,
  options: RequestOptions,
  closers: Closers,
): Promise<OpenAnswer> {
  const socket = await connectTls(target, "h2");
  const session = http2Connect(target.url, { createConnection: () => socket });
  closers.add(() => session.destroy());
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new ClientError(`${nameOf(path, options)}: ${error.message}`));
    session.on("error", fail);
    session.on("goaway", () => fail(new Error("the server said goodbye before it answered")));
    const stream = session.request({
      ":method": options.method ?? "GET",
      ":path": path,
      ":authority": new URL(target.url).host,
      ...headersOf(target, options),
    });
    stream.on("response", (headers) => resolve({ status: headers[":status"] ?? 0, headers, body: stream }));
    stream.on("error", fail);
    stream.end(options.body);
  });
}

function headersOf(target: ApiTarget, options: RequestOptions): Record<string, string> {
  return {
    accept: "application/json",
    "user-agent": "postern-sandbox-client",
    ...authorization(target),
    ...(options.body !== undefined && { "content-type": options.contentType ?? "application/json" }),
  };
}

function nameOf(path: string, options: RequestOptions): string {
  return `${options.method ?? "GET"} ${withoutQuery(path)}`;
}

async function readLines(body: Readable, count: number, what: string): Promise<string[]> {
  let text = "";
  for await (const chunk of body) {
    text += String(chunk);
    const lines = text.split("\n");
    if (lines.length > count) return lines.slice(0, count);
  }
  throw new ClientError(`${what} ended before ${count === 1 ? "anything came" : `${count} lines had come`}`);
}

/** What is open on behalf of one operation, to be let go at its end. */
class Closers {
  private readonly closers: (() => void)[] = [];
  private isOver = false;

  add(close: () => void): void {
    if (this.isOver) close();
    else this.closers.push(close);
  }

  run(): void {
    this.isOver = true;
    for (const close of this.closers.splice(0)) close();
  }
}

/** A body for PATCH that adds one annotation; what a self-check may do to a pod without harm. */
export function annotationPatch(name: string, value: string): string {
  const patch: Json = { metadata: { annotations: { [name]: value } } };
  return JSON.stringify(patch);
}
