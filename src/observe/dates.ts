/** Dates as HAProxy prints them, in local time. The part down to the second is made once a second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `25/Nov/2026:01:03:33.936` (HAProxy manual §8.2.3, %t and %tr). @param ms  since 1970 */
export function logDate(ms: number): string {
  return logSecond(Math.floor(ms / 1000)) + fraction(ms);
}

/** `2026-11-25T01:03:33.936Z` (RFC 3339), for JSON. @param ms  since 1970 */
export function isoDate(ms: number): string {
  return `${isoSecond(Math.floor(ms / 1000))}${fraction(ms)}Z`;
}

/** `Nov 25 01:03:33`, the day padded with a space (RFC 3164 §4.1.2). @param ms  since 1970 */
export function syslogDate(ms: number): string {
  return syslogSecond(Math.floor(ms / 1000));
}

const logSecond = oncePerSecond((date) => {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${clock(date)}`;
});

const isoSecond = oncePerSecond((date) => date.toISOString().slice(0, 19));

const syslogSecond = oncePerSecond(
  (date) => `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock(date)}`,
);

function oncePerSecond(print: (date: Date) => string): (second: number) => string {
  let last = Number.NaN;
  let text = "";
  return (second) => {
    if (second !== last) {
      last = second;
      text = print(new Date(second * 1000));
    }
    return text;
  };
}

function fraction(ms: number): string {
  return `.${String(Math.floor(ms) - Math.floor(ms / 1000) * 1000).padStart(3, "0")}`;
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
