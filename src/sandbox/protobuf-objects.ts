import { badRequest, unsupportedMediaType } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";
import { decodeMessage, type ProtoFields } from "./protobuf.ts";

/**
 * kubectl ≥ 1.32 sends the bodies of its typed calls (create, auth) as protobuf: `k8s\0`, then a runtime.Unknown that
 * names the kind and carries the message (apimachinery pkg/runtime/serializer/protobuf). Only the kinds below are read;
 * answers are always JSON, which every client accepts. Field numbers are from k8s.io/api's generated.proto files.
 */
const magic = Buffer.from("k8s\0");

type FieldType =
  | "text"
  | "bytes"
  | "integer"
  | "boolean"
  | "texts"
  | "textMap"
  | "bytesMap"
  | Message
  | [Message];
interface Message {
  readonly [field: string]: readonly [number: number, type: FieldType];
}

const ownerReference: Message = {
  kind: [1, "text"],
  name: [3, "text"],
  uid: [4, "text"],
  apiVersion: [5, "text"],
  controller: [6, "boolean"],
};

const objectMeta: Message = {
  name: [1, "text"],
  generateName: [2, "text"],
  namespace: [3, "text"],
  uid: [5, "text"],
  resourceVersion: [6, "text"],
  labels: [11, "textMap"],
  annotations: [12, "textMap"],
  ownerReferences: [13, [ownerReference]],
  finalizers: [14, "texts"],
};

const localReference: Message = { name: [1, "text"] };

const resourceAttributes: Message = {
  namespace: [1, "text"],
  verb: [2, "text"],
  group: [3, "text"],
  version: [4, "text"],
  resource: [5, "text"],
  subresource: [6, "text"],
  name: [7, "text"],
};

const accessReview: Message = {
  resourceAttributes: [1, resourceAttributes],
  nonResourceAttributes: [2, { path: [1, "text"], verb: [2, "text"] }],
};

const tokenRequest: Message = { audiences: [1, "texts"], expirationSeconds: [4, "integer"] };

const labelSelector: Message = { matchLabels: [1, "textMap"] };
const containerPort: Message = { name: [1, "text"], containerPort: [3, "integer"], protocol: [4, "text"] };
const container: Message = {
  name: [1, "text"],
  image: [2, "text"],
  command: [3, "texts"],
  args: [4, "texts"],
  ports: [6, [containerPort]],
};
const podTemplate: Message = { metadata: [1, objectMeta], spec: [2, { containers: [2, [container]] }] };

const kinds: Readonly<Record<string, Message>> = {
  ConfigMap: {
    metadata: [1, objectMeta],
    data: [2, "textMap"],
    binaryData: [3, "bytesMap"],
    immutable: [4, "boolean"],
  },
  Deployment: {
    metadata: [1, objectMeta],
    spec: [2, { replicas: [1, "integer"], selector: [2, labelSelector], template: [3, podTemplate] }],
  },
  Namespace: { metadata: [1, objectMeta] },
  Secret: {
    metadata: [1, objectMeta],
    data: [2, "bytesMap"],
    type: [3, "text"],
    stringData: [4, "textMap"],
    immutable: [5, "boolean"],
  },
  SelfSubjectAccessReview: { metadata: [1, objectMeta], spec: [2, accessReview] },
  SelfSubjectReview: { metadata: [1, objectMeta] },
  SelfSubjectRulesReview: { metadata: [1, objectMeta], spec: [2, { namespace: [1, "text"] }] },
  ServiceAccount: { metadata: [1, objectMeta], imagePullSecrets: [3, [localReference]] },
  TokenRequest: { metadata: [1, objectMeta], spec: [2, tokenRequest] },
  DeleteOptions: { gracePeriodSeconds: [1, "integer"], propagationPolicy: [4, "text"], dryRun: [5, "texts"] },
};

/** @throws ApiError UnsupportedMediaType for a kind not listed, BadRequest for bytes that are no such envelope */
export function decodeProtobufObject(body: Buffer): JsonObject {
  if (!body.subarray(0, magic.length).equals(magic))
    throw badRequest("the protobuf body lacks its k8s prefix");
  try {
    const envelope = decodeMessage(body.subarray(magic.length));
    const type = decodeMessage(bufferIn(envelope, 1));
    const kind = bufferIn(type, 2).toString();
    const message = kinds[kind];
    if (message === undefined) throw unsupportedMediaType("application/json, application/yaml");
    return {
      apiVersion: bufferIn(type, 1).toString(),
      kind,
      metadata: {},
      ...readMessage(bufferIn(envelope, 2), message),
    };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("protobuf:")) throw badRequest(error.message);
    throw error;
  }
}

function readMessage(bytes: Buffer, message: Message): JsonObject {
  const fields = decodeMessage(bytes);
  const result: JsonObject = {};
  for (const [name, [number, type]] of Object.entries(message)) {
    const values = fields.get(number);
    const value = values === undefined ? undefined : readValue(values, type);
    if (value !== undefined && value !== "") result[name] = value;
  }
  return result;
}

function readValue(values: readonly (number | Buffer)[], type: FieldType): Json | undefined {
  const last = values.at(-1);
  const buffers = values.filter((value) => Buffer.isBuffer(value));
  if (Array.isArray(type)) return buffers.map((bytes) => readMessage(bytes, type[0]!));
  switch (type) {
    case "text":
      return buffers.at(-1)?.toString();
    case "bytes":
      return buffers.at(-1)?.toString("base64");
    case "integer":
      return typeof last === "number" ? last : undefined;
    case "boolean":
      return last !== 0;
    case "texts":
      return buffers.map((bytes) => bytes.toString());
    case "textMap":
      return Object.fromEntries(buffers.map((bytes) => entryOf(bytes, "utf8")));
    case "bytesMap":
      return Object.fromEntries(buffers.map((bytes) => entryOf(bytes, "base64")));
    default:
      return buffers.length === 0 ? undefined : readMessage(buffers.at(-1)!, type);
  }
}

/** A map is a list of small messages: 1 is the key, 2 the value. */
function entryOf(bytes: Buffer, encoding: "utf8" | "base64"): [string, string] {
  const entry = decodeMessage(bytes);
  return [bufferIn(entry, 1).toString(), bufferIn(entry, 2).toString(encoding)];
}

function bufferIn(fields: ProtoFields, number: number): Buffer {
  const value = fields.get(number)?.at(-1);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}
