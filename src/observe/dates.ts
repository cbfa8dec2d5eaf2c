/** Dates as HAProxy prints them, in local time. The part down to the second is made once a second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `25/Nov/2026:01:03:33.936` (HAProxy manual §8.2.3, %t and %tr). @param ms  since 1970 */
export function logDate(ms: number): string {
  const whole = Math.floor(ms);
  const millisecond = ((whole % 1000) + 1000) % 1000;
  return `${logSecond((whole - millisecond) / 1000)}.${String(millisecond).padStart(3, "0")}`;
}

/** `Nov 25 01:03:33`, the day padded with a space (RFC 3164 §4.1.2). @param ms  since 1970 */
export function syslogDate(ms: number): string {
  return syslogSecond(Math.floor(ms / 1000));
}

const logSecond = oncePerSecond((date) => {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${clock(date)}`;
});

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

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
