/** The name that was probably meant: the nearest by edits, if it is near enough to be worth saying. */
export function nearest(found: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(found.length / 3)) + 1;
  const short = found.slice(0, LENGTH_MAX);
  for (const name of known) {
    const [a, b] = [fold(short), fold(name.slice(0, LENGTH_MAX))];
    const distance = isLonger(a, b) || isLonger(b, a) ? 1 : editDistance(a, b);
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

const LENGTH_MAX = 64;

/** `toolname` for `tool`. */
function isLonger(long: string, short: string): boolean {
  return short.length >= 3 && long.startsWith(short);
}

/** `toolName` and `tool_name` are one slip of the pen. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours, each one edit. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
