/**
 * The known word nearest to a misspelt one; undefined when none is near enough to be meant, or when more than two are
 * equally near (`local9`).
 * A third of the letters may be wrong; letters that changed places count as one mistake (Damerau, 1964).
 */
export function closest(word: string, known: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let ties = 0;
  for (const candidate of known) {
    if (Math.abs(candidate.length - wanted.length) > bestDistance) continue;
    const distance = mistakes(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
      ties = 0;
    } else if (distance === bestDistance && best !== undefined) ties++;
  }
  return ties < 2 ? best : undefined;
}

/** `did you mean "x"?`, or nothing when no known word is near. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  const best = closest(word, known);
  return best === undefined ? undefined : `did you mean "${best}"?`;
}

/** Optimal string alignment: insert, delete, replace, or swap two neighbours. */
function mistakes(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
