/**
 * What is wrong with a request's `:path`, in words; undefined when it means the same to everybody who reads it.
 * kube-apiserver splits on single slashes and does not clean (requestinfo.go): an empty or dotted segment, or a slash in
 * disguise, would let a rule of the gate see another resource than the API server does.
 */
export function pathFault(target: string): string | undefined {
  // For OPTIONS alone, which is not seen here (RFC 9113 §8.3.1).
  if (target === "*") return undefined;
  if (target.charCodeAt(0) !== SLASH) return "the path does not begin with a slash";
  let segmentAt = 1;
  let inQuery = false;
  for (let at = 1; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === HASH) return "the path holds a byte that no path may hold";
    if (inQuery) continue;
    if (code === SLASH || code === QUESTION) {
      if (code === SLASH && at === segmentAt) return "the path holds an empty segment";
      if (isDots(target, segmentAt, at)) return "the path holds a dot segment";
      segmentAt = at + 1;
      inQuery = code === QUESTION;
    } else if (code === BACKSLASH) return "the path holds a backslash";
    else if (code === PERCENT && isSlashInDisguise(target, at)) return "the path holds an encoded slash";
  }
  return !inQuery && isDots(target, segmentAt, target.length) ? "the path holds a dot segment" : undefined;
}

const SLASH = 0x2f;
const QUESTION = 0x3f;
const HASH = 0x23;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const DOT = 0x2e;

/** `.` or `..`, each dot plain or as `%2e`. */
function isDots(text: string, start: number, end: number): boolean {
  let dots = 0;
  let at = start;
  while (at < end) {
    if (text.charCodeAt(at) === DOT) at += 1;
    else if (isEncoded(text, at, 0x32, 0x65)) at += 3;
    else return false;
    dots += 1;
  }
  return at === end && (dots === 1 || dots === 2);
}

/** `%2f` or `%5c`. */
function isSlashInDisguise(text: string, at: number): boolean {
  return isEncoded(text, at, 0x32, 0x66) || isEncoded(text, at, 0x35, 0x63);
}

/** @param low  the second hex digit, a letter in lower case */
function isEncoded(text: string, at: number, high: number, low: number): boolean {
  return (
    text.charCodeAt(at) === PERCENT &&
    text.charCodeAt(at + 1) === high &&
    (text.charCodeAt(at + 2) | 0x20) === low
  );
}
