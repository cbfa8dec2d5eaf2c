/** A result: what a script may read. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Progress and advice: for the person, never for a script. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export type Colour = "red" | "yellow" | "green" | "dim";

const CODES: Record<Colour, readonly [on: number, off: number]> = {
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  dim: [2, 22],
};

/** Coloured only where a person looks at it, and did not ask for none (https://no-color.org). */
export function coloured(text: string, colour: Colour, stream: NodeJS.WriteStream = process.stdout): string {
  const noColour = process.env.NO_COLOR ?? "";
  if (stream.isTTY !== true || noColour !== "") return text;
  const [on, off] = CODES[colour];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}
