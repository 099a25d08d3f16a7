/**
 * Chance, as everything above `core` sees it. Integers and bytes only: a float drawn here would be a float in a decision.
 * `stream` gives an independent generator for one purpose, so that a draw added in one place moves no draw elsewhere.
 */
export interface Random {
  /** `length` bytes. From the system generator they are fit for keys; from a seeded one they are only reproducible. */
  bytes(length: number): Uint8Array;
  /** A uniform integer in `0 ≤ n < bound`; `bound` is an integer in `1..2^32`. */
  below(bound: number): number;
  /** An independent generator; the same name from the same seed gives the same draws. */
  stream(name: string): Random;
}
