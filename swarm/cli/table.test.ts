import { describe, expect, test } from 'vitest';
import { Table } from './table.ts';

const COLUMNS = [{ title: 'N', align: 'right' }, { title: 'NAME' }, { title: 'DATA' }] as const;

describe('a table', () => {
  test('aligns its columns to the first rows and prints its titles once', () => {
    const table = new Table(COLUMNS);

    const first = table.format([
      ['1', 'tea', '{}'],
      ['10', 'cups', '[]'],
    ]);
    const second = table.format([['11', 'saucers', '1']]);

    expect(first).toBe(' N  NAME  DATA\n 1  tea   {}\n10  cups  []\n');
    expect(second).toBe('11  saucers  1\n');
  });

  test('cuts its lines to the width of a terminal, between characters', () => {
    const table = new Table(COLUMNS, 13);

    const text = table.format([['1', 'tea', '12🍵456']]);

    expect(text).toBe('N  NAME  DATA\n1  tea   12…\n');
  });

  test('does not cut what nobody looks at on a terminal', () => {
    const table = new Table(COLUMNS);

    const text = table.format([['1', 'tea', 'x'.repeat(500)]]);

    expect(text).toContain('x'.repeat(500));
  });

  test('prints no control character that stands in a cell', () => {
    const table = new Table(COLUMNS);

    const text = table.format([['1', 'tea', '\u001b[2J']]);

    expect(text).toContain('\\u001b[2J');
  });
});
