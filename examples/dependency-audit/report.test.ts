import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Audit, type AuditedPackage, Report, reportOf, toJson, toMarkdown } from './report.ts';

const clean: AuditedPackage = {
  name: 'b',
  version: '1.0.0',
  isDev: false,
  paths: ['node_modules/b'],
  document: 'd1',
  findings: [],
};
const bad: AuditedPackage = {
  ...clean,
  name: 'z',
  isDev: true,
  findings: [{ rule: 'integrity.mismatch', severity: 'critical', message: 'the sha512 digests differ' }],
};
const audit: Audit = {
  at: 1_800_000_000_000,
  lock: { digest: 'lock', lockfileVersion: 3 },
  audited: [clean, bad],
  missing: [],
  skipped: [{ path: '', reason: 'root', message: 'the project itself' }],
};

describe('report', () => {
  test('the worst stands first', () => {
    expect(reportOf(audit).packages.map(({ name }) => name)).toEqual(['z', 'b']);
  });

  test('the form of the document is the form of its schema', () => {
    expect(Report.parse(JSON.parse(toJson(reportOf(audit))))).toEqual(reportOf(audit));
  });

  test('the summary counts', () => {
    expect(reportOf(audit).summary).toEqual({
      audited: 2,
      missing: 0,
      skipped: 1,
      findings: { critical: 1, high: 0, medium: 0, low: 0, info: 0 },
    });
  });

  test('the order of the results does not matter', () => {
    const audited = ['a', 'b', '@s/c', 'B'].map((name) => ({ ...clean, name }));
    const expected = toJson(reportOf({ ...audit, audited }));

    fc.assert(
      fc.property(fc.shuffledSubarray(audited, { minLength: 4 }), (shuffled) => {
        expect(toJson(reportOf({ ...audit, audited: shuffled }))).toBe(expected);
      }),
    );
  });

  test('for people, it is a document with tables', () => {
    expect(toMarkdown(reportOf(audit))).toBe(
      [
        '# Dependency audit',
        '',
        'As of 2027-01-15T08:00:00Z, lock `lock`: 2 packages audited, 0 missing, 1 entry skipped.',
        '',
        '| severity | findings |',
        '| --- | --- |',
        '| critical | 1 |',
        '| high | 0 |',
        '| medium | 0 |',
        '| low | 0 |',
        '| info | 0 |',
        '',
        '## By rule',
        '',
        '| severity | rule | packages | why it matters |',
        '| --- | --- | --- | --- |',
        '| critical | integrity.mismatch | 1 | the registry offers other bytes under this version than the lock was made from |',
        '',
        '## Findings',
        '',
        '| severity | package | rule | what was found |',
        '| --- | --- | --- | --- |',
        '| critical | z 1.0.0 \\(dev\\) | integrity.mismatch | the sha512 digests differ |',
        '',
        '## Skipped',
        '',
        '| entry | why |',
        '| --- | --- |',
        '| \\(root\\) | the project itself |',
        '',
      ].join('\n'),
    );
  });

  test('what is missing is named, and the report says that it is incomplete', () => {
    const missing = [{ name: 'gone', code: 'registry.unreachable', message: 'no answer' }];
    const report = reportOf({ ...audit, missing });

    expect(report.isComplete).toBe(false);
    expect(toMarkdown(report)).toContain('**Incomplete.**');
    expect(toMarkdown(report)).toContain('| gone | registry.unreachable | no answer |');
  });

  test('a stranger’s text makes no link, no cell and no heading', () => {
    const message = '| x |\n\n# Owned\n[click](https://example.org) <img src=x> www.example.org';
    const [finding] = bad.findings;
    const findings = finding === undefined ? [] : [{ ...finding, message }];
    const row = toMarkdown(reportOf({ ...audit, audited: [{ ...bad, findings }] }))
      .split('\n')
      .find((line) => line.includes('Owned'));

    expect(row).toContain(
      '\\| x \\| \\# Owned \\[click\\]\\(https:\u2060//example.org\\) \\<img src=x\\> www\u2060.example',
    );
  });
});
