/**
 * `text like "pattern"`: `*` stands for any characters, everything else for itself. No other sign has a meaning, so that no
 * pattern can be slow: the parts between the stars are found one after the other, each in one pass (Knuth, Morris and
 * Pratt), which makes the whole linear in the text.
 */

/** Longer texts are unknown: a rule about a mail's subject has no business in a book. */
export const TEXT_CHARACTERS_MAX = 65_536;

/** A test for the pattern; unknown for what is no text, or too long a one. */
export function compileLike(pattern: string): (text: unknown) => boolean | undefined {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  const middle = rest.filter((part) => part !== '').map(finderOf);
  return (text) => {
    if (typeof text !== 'string' || text.length > TEXT_CHARACTERS_MAX) return undefined;
    if (last === undefined) return text === first;
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const find of middle) {
      at = find(text, at);
      if (at === -1) return false;
    }
    return at <= text.length - last.length;
  };
}

/** The index after the first occurrence of `part` at or after `from`, or -1. */
function finderOf(part: string): (text: string, from: number) => number {
  const fallback = borders(part);
  return (text, from) => {
    let matched = 0;
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      while (matched > 0 && unit !== part.charCodeAt(matched)) matched = fallback[matched - 1] ?? 0;
      if (unit === part.charCodeAt(matched)) matched++;
      if (matched === part.length) return at + 1;
    }
    return -1;
  };
}

/** Per prefix, the length of the longest part that both begins and ends it. */
function borders(part: string): readonly number[] {
  const lengths = [0];
  for (let at = 1, length = 0; at < part.length; at++) {
    while (length > 0 && part[at] !== part[length]) length = lengths[length - 1] ?? 0;
    if (part[at] === part[length]) length++;
    lengths.push(length);
  }
  return lengths;
}
