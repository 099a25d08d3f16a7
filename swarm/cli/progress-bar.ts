/** Progress on a terminal's stderr, and nothing at all anywhere else. */
import type { Sink } from './shell.ts';

/** Called with what is done and what there is; the last call clears the line. */
export type Progress = { readonly show: (done: number, total: number) => void; readonly clear: () => void };

export function progressOn(notes: Sink): Progress {
  if (!notes.isTerminal) return { show: () => undefined, clear: () => undefined };
  const write = (text: string): void => void notes.write(text).catch(() => undefined);
  let shown = '';
  return {
    show(done, total) {
      const bar = progressBar(done, total, notes.columns ?? WIDTH_DEFAULT);
      if (bar !== shown) write(`\r${bar}`);
      shown = bar;
    },
    clear() {
      if (shown !== '') write(`\r${' '.repeat(shown.length)}\r`);
      shown = '';
    },
  };
}

/** One line of at most `width - 1` characters, so that no terminal wraps it. */
export function progressBar(done: number, total: number, width: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  const count = ` ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`;
  const room = width - 1 - percent.length - count.length - '[] '.length;
  if (room < 10) return percent.slice(0, Math.max(0, width - 1));
  const cells = Math.min(room, CELLS_MAX);
  const full = Math.floor(cells * share);
  return `[${'#'.repeat(full)}${' '.repeat(cells - full)}] ${percent}${count}`;
}

const WIDTH_DEFAULT = 80;
const CELLS_MAX = 40;
