import { describe, expect, test } from 'vitest';
import { CodedError } from '../../runtime/core/errors.ts';
import { InputError } from './line-splitter.ts';
import { formatReport, oneLine, reportOf } from './report.ts';

describe('a report', () => {
  test('is one line of code and message', () => {
    const report = reportOf(new CodedError('log.not_found', 'expected a log in x,\n  found none'));

    const text = formatReport(report, false);

    expect(text).toBe('ringmesh: log.not_found: expected a log in x, found none\n');
  });

  test('is one JSON object that also says where the input is wrong', () => {
    const report = reportOf(new InputError('input.malformed', 'expected a colon', { line: 7, offset: 12 }));

    const text = formatReport(report, true);

    expect(JSON.parse(text)).toEqual({
      error: { code: 'input.malformed', message: 'line 7, byte 12: expected a colon', exit: 2, line: 7, offset: 12 },
    });
  });

  test.each([new Error('boom'), Object.assign(new Error('no'), { code: 'EACCES' }), 'a text', undefined])(
    'of what carries no code of ours is unexpected',
    (thrown) => {
      const { code, exit } = reportOf(thrown);

      expect({ code, exit }).toEqual({ code: 'cli.unexpected', exit: 1 });
    },
  );

  test('lets nothing through that a terminal would obey', () => {
    const text = oneLine('a\u001b[2Jb\u0007\u009b31m\u202egnp\nc');

    expect(text).toBe('a\\u001b[2Jb\\u0007\\u009b31m\\u202egnp c');
  });
});
