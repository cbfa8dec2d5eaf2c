import { REASONS, type Reason, type ReasonCode } from "../events/index.ts";
import { failureStatus, isDiscoveryRoot } from "../kubernetes/status.ts";

/** An answer of the gate's own, ready to be put into either protocol. */
export interface LocalAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * The answer for a request that does not reach an API server.
 * @param target      path and query of the request; undefined when its head could not be read
 * @param kubernetes  whether the backend counts as a Kubernetes API (a `Status` body, text on /api and /apis)
 * @param message     in place of the reason's sentence
 */
export function localAnswer(
  code: ReasonCode,
  target: string | undefined,
  kubernetes: boolean,
  message?: string,
): LocalAnswer {
  const reason: Reason = REASONS[code];
  const status = reason.status ?? 500;
  const sentence = message ?? reason.sentence;
  if (!kubernetes) return text(status, sentence);
  // kubectl with a cold cache asks /api and /apis first and shows nothing but a text body of 403 or 502 there.
  if (target !== undefined && isDiscoveryRoot(target)) return text(status === 403 ? 403 : 502, sentence);
  const word = reason.kubernetes;
  return {
    status,
    contentType: "application/json",
    body: Buffer.from(
      failureStatus({ code: status, message: sentence, ...(word !== undefined && { reason: word }) }),
    ),
  };
}

function text(status: number, sentence: string): LocalAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body: Buffer.from(`${sentence}\n`) };
}
