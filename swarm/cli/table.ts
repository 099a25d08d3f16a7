/** Columns of text for people: streamed, so widths are fixed by the first rows and a later, wider cell only shifts its row. */
import { oneLine } from './report.ts';

export type Column = {
  readonly title: string;
  readonly align?: 'right';
  /** At least this wide: the first rows may not be the widest. */
  readonly widthMin?: number;
};

export class Table {
  readonly #columns: readonly Column[];
  readonly #columnsMax: number | undefined;
  readonly #emphasise: (text: string) => string;
  #widths: readonly number[] | undefined;

  /** Rows longer than `lineWidth` are cut; `emphasise` is for the titles. */
  constructor(columns: readonly Column[], lineWidth?: number, emphasise: (text: string) => string = (text) => text) {
    this.#columns = columns;
    this.#columnsMax = lineWidth;
    this.#emphasise = emphasise;
  }

  /** The lines of these rows, each with a newline; of the titles too, the first time. */
  format(rows: readonly (readonly string[])[]): string {
    const cells = rows.map((row) => row.map(oneLine));
    const titles = this.#columns.map(({ title }) => title);
    const isFirst = this.#widths === undefined;
    this.#widths ??= this.#columns.map(({ title, widthMin = 0 }, n) =>
      Math.max(title.length, widthMin, ...cells.map((row) => row[n]?.length ?? 0)),
    );
    const lines = cells.map((row) => `${this.#line(row)}\n`);
    return (isFirst ? `${this.#emphasise(this.#line(titles))}\n` : '') + lines.join('');
  }

  #line(row: readonly string[]): string {
    const last = this.#columns.length - 1;
    const cells = this.#columns.map(({ align }, n) => {
      const [text, width] = [row[n] ?? '', this.#widths?.[n] ?? 0];
      if (align === 'right') return text.padStart(width);
      return n === last ? text : text.padEnd(width);
    });
    return cut(cells.join('  '), this.#columnsMax);
  }
}

/** Counts UTF-16 units, so wide characters may still wrap; but never half of a surrogate pair. */
function cut(text: string, width: number | undefined): string {
  return width === undefined || text.length <= width
    ? text
    : `${text
        .slice(0, width - 1)
        .toWellFormed()
        .replace(/\ufffd$/, '')}…`;
}
