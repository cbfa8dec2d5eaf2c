import { parse as parseYaml } from "yaml";
import { type HeaderLines, linesOf, type User } from "./auth.ts";
import { ApiError, badRequest, tooLarge, unsupportedMediaType } from "./errors.ts";
import { type Json, parseJson, prettyJson } from "./json.ts";
import { decodeProtobufObject } from "./protobuf-objects.ts";
import type { RequestInfo } from "./request-info.ts";

/** What the answers of both HTTP versions have in common. */
export interface ResponseStream {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  writeHead(status: number, headers: Record<string, string>): unknown;
  /** Sends the head at once, before there is anything to follow it. */
  flushHeaders(): unknown;
  write(chunk: string | Buffer): boolean;
  end(chunk?: string | Buffer): unknown;
  on(event: "close" | "drain", listener: () => void): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
}

/** A request's head as it came, before anybody asked who sent it. */
export interface RequestHead {
  readonly method: string;
  /** Without the query; not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HeaderLines;
  readonly httpVersion: string;
}

/** One request that was let in, and the way to answer it. */
export interface Call extends RequestHead {
  readonly user: User;
  readonly info: RequestInfo;
  readonly body: AsyncIterable<Buffer>;
  readonly response: ResponseStream;
}

/** apiserver pkg/server/config.go MaxRequestBodyBytes. */
const bodyBytesMax = 3 << 20;

/** @throws ApiError RequestEntityTooLarge */
export async function readBody(call: Call): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of call.body) {
    size += chunk.length;
    if (size > bodyBytesMax) throw tooLarge(bodyBytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function contentTypeOf(headers: HeaderLines): string {
  return (linesOf(headers, "content-type")[0] ?? "application/json").split(";")[0]!.trim().toLowerCase();
}

/** The body as JSON, from JSON, YAML or protobuf. @throws ApiError BadRequest, UnsupportedMediaType */
export async function readJsonBody(call: Call): Promise<Json> {
  const type = contentTypeOf(call.headers);
  const body = await readBody(call);
  if (body.length === 0) return null;
  if (type === "application/vnd.kubernetes.protobuf") return decodeProtobufObject(body);
  try {
    if (type === "application/json" || type.endsWith("patch+json")) return parseJson(body.toString());
    if (type.endsWith("yaml")) {
      const value: Json = parseYaml(body.toString());
      return value;
    }
  } catch (error) {
    throw badRequest(`the body cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw unsupportedMediaType("application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

export const jsonType = "application/json";

/** Answers with one JSON value; for people (curl, `?pretty`) it is laid out. */
export function sendJson(
  call: Pick<Call, "headers" | "query" | "response">,
  status: number,
  value: Json,
  type = jsonType,
): void {
  const text = wantsPretty(call) ? prettyJson(value) : `${JSON.stringify(value)}\n`;
  sendText(call, status, text, type);
}

export function sendText(
  call: Pick<Call, "response">,
  status: number,
  text: string | Buffer,
  type: string,
): void {
  const body = Buffer.from(text);
  call.response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-cache, private",
    "content-length": String(body.length),
  });
  call.response.end(body);
}

/** Any error as an answer; what was not foreseen is told as an internal error, without its stack. */
export function sendError(call: Pick<Call, "headers" | "query" | "response">, error: unknown): void {
  if (call.response.headersSent) {
    call.response.end();
    return;
  }
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(
          500,
          "InternalError",
          `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`,
        );
  sendJson(call, known.code, known.status());
}

/** apiserver pkg/endpoints/handlers/negotiation/negotiate.go isPrettyPrint */
function wantsPretty(call: Pick<Call, "headers" | "query">): boolean {
  const pretty = call.query.get("pretty");
  if (pretty !== null) return pretty !== "0" && pretty !== "false";
  return /^(curl|Wget|Mozilla)/.test(linesOf(call.headers, "user-agent")[0] ?? "");
}

/** One alternative of an Accept header: its media type and parameters. */
export interface Accepted {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export function acceptedTypes(headers: HeaderLines): Accepted[] {
  const written = linesOf(headers, "accept").join(",");
  return (written === "" ? "*/*" : written).split(",").map((alternative) => {
    const [type = "", ...parameters] = alternative.split(";").map((word) => word.trim());
    const pairs = parameters.map((parameter) => parameter.split("=", 2));
    return { type, parameters: Object.fromEntries(pairs.map(([name = "", value = ""]) => [name, value])) };
  });
}
