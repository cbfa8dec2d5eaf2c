import {
  Flag,
  FRAME_HEAD_BYTES,
  FrameType,
  HeaderField,
  headerFrames,
  writeFrameHead,
} from "../../wire/http2/index.ts";
import type { LocalAnswer } from "../answer.ts";

const NOTHING = Buffer.alloc(0);

/**
 * A local answer as frames: HEADERS in literals, so that no table moves, and its body in one DATA frame.
 * @param sends  `head`: to HEAD, the length alone; `none`: to a client whose window would not take it
 */
export function answerFrames(streamId: number, answer: LocalAnswer, sends: "body" | "head" | "none"): Buffer {
  // RFC 9113 §8.1.1: a length without its DATA would make the answer malformed.
  const body = sends === "none" ? NOTHING : answer.body;
  const fields = [
    new HeaderField(":status", String(answer.status)),
    new HeaderField("content-type", answer.contentType),
    new HeaderField("content-length", String(body.length)),
    new HeaderField("cache-control", "no-cache"),
  ];
  // RFC 9110 §15.5.6 demands it; only CONNECT is ever answered so.
  if (answer.status === 405)
    fields.push(new HeaderField("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
  const head = headerFrames(streamId, sends !== "body", { fields });
  if (sends !== "body") return head;
  const frames = Buffer.allocUnsafe(head.length + FRAME_HEAD_BYTES + body.length);
  head.copy(frames);
  const at = writeFrameHead(frames, head.length, body.length, FrameType.DATA, Flag.END_STREAM, streamId);
  body.copy(frames, at);
  return frames;
}
