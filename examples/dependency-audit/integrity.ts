/** Subresource integrity (w3.org/TR/SRI), as lock files and registries write it: one or more `algorithm-base64`. */

/** Strongest first. What is not listed is ignored, as browsers and npm do. */
const ALGORITHMS = ['sha512', 'sha384', 'sha256', 'sha1'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const LENGTHS: Readonly<Record<Algorithm, number>> = { sha512: 88, sha384: 64, sha256: 44, sha1: 28 };

export type Comparison =
  | { readonly type: 'same' | 'different'; readonly by: Algorithm }
  /** No algorithm that both sides know. */
  | { readonly type: 'incomparable' };

/** Compares by the strongest algorithm that both have; one equal digest of it is enough, as in the specification. */
export function compareIntegrity(one: string, other: string): Comparison {
  const [ours, theirs] = [digestsOf(one), digestsOf(other)];
  for (const by of ALGORITHMS) {
    const [mine, yours] = [ours.get(by), theirs.get(by)];
    if (mine === undefined || yours === undefined) continue;
    return { type: mine.some((digest) => yours.includes(digest)) ? 'same' : 'different', by };
  }
  return { type: 'incomparable' };
}

/** The `shasum` of old documents (40 hex digits) as integrity; `undefined` where it is none. */
export function integrityOfShasum(shasum: string): string | undefined {
  if (!/^[0-9a-f]{40}$/.test(shasum)) return undefined;
  return `sha1-${btoa(String.fromCharCode(...(shasum.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))))}`;
}

/** Whether nothing stronger than SHA-1 is there. */
export function isWeak(integrity: string): boolean {
  const found = digestsOf(integrity);
  return found.has('sha1') && found.size === 1;
}

function digestsOf(integrity: string): ReadonlyMap<Algorithm, readonly string[]> {
  const found = new Map<Algorithm, string[]>();
  for (const part of integrity.split(/\s+/)) {
    const dash = part.indexOf('-');
    const algorithm = ALGORITHMS.find((known) => known === part.slice(0, dash));
    const digest = part.slice(dash + 1).replace(/\?.*$/, '');
    if (algorithm === undefined || digest.length !== LENGTHS[algorithm]) continue;
    found.set(algorithm, [...(found.get(algorithm) ?? []), digest]);
  }
  return found;
}
