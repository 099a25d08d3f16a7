/** What a person sees while an audit goes on: one line that is drawn again on a terminal, a line now and then elsewhere. */
import { type AuditProgress, doneOf } from './progress.ts';

const BAR_WIDTH_MAX = 30;

/** `[#######.......] 12 of 40 packages, 2 failed`, no wider than the terminal. */
export function barOf(progress: AuditProgress, columns: number): string {
  const { judged, failed } = doneOf(progress);
  const words = wordsOf(progress);
  const width = Math.min(BAR_WIDTH_MAX, columns - words.length - 4);
  if (width < 5) return words.slice(0, Math.max(0, columns - 1));
  const filled = progress.total === 0 ? width : Math.floor((width * (judged + failed)) / progress.total);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${words}`;
}

function wordsOf(progress: AuditProgress): string {
  const { judged, failed } = doneOf(progress);
  return `${judged} of ${progress.total} packages${failed === 0 ? '' : `, ${failed} failed`}`;
}

export type ProgressSink = { readonly columns: number | undefined; readonly write: (text: string) => void };

/** Draws on a terminal with every call, elsewhere after every tenth of the work. */
export class ProgressLine {
  readonly #sink: ProgressSink;
  #tenths = -1;
  #isDrawn = false;

  constructor(sink: ProgressSink) {
    this.#sink = sink;
  }

  show(progress: AuditProgress): void {
    const { columns } = this.#sink;
    if (columns !== undefined) {
      this.#isDrawn = true;
      this.#sink.write(`\r\u001b[K${barOf(progress, columns)}`);
      return;
    }
    const { judged, failed } = doneOf(progress);
    const tenths = progress.total === 0 ? 10 : Math.floor((10 * (judged + failed)) / progress.total);
    if (tenths === this.#tenths) return;
    this.#tenths = tenths;
    this.#sink.write(`audit: ${wordsOf(progress)}\n`);
  }

  /** Leaves the last line standing. */
  end(): void {
    if (this.#isDrawn) this.#sink.write('\n');
    this.#isDrawn = false;
  }
}
