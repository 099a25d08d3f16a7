import { describe, expect, test } from 'vitest';
import type { Judgement } from './contracts.ts';
import { parseOptions } from './options.ts';
import type { AuditProgress, Ledger } from './progress.ts';
import { barOf, ProgressLine } from './progress-line.ts';
import { exitCodeOf, formatSummary, type Summary, summaryOf } from './summary.ts';

const place = { cwd: '/work', home: '/home/me', env: {} };

describe('options', () => {
  test('without any, everything has a place below the project, and the anchor has one elsewhere', () => {
    expect(parseOptions([], place)).toEqual({
      lock: '/work/package-lock.json',
      out: '/work/.ringmesh/audit',
      log: '/work/.ringmesh/audit-log',
      anchors: '/home/me/.local/state/ringmesh/anchors',
      researchers: 4,
      nodes: 1,
      broker: undefined,
      withRogue: false,
      isJson: false,
      failOn: undefined,
    });
  });

  test('all of them', () => {
    const args = '--lock a --out /b --log c --anchor d --with-rogue --researchers 7 --fail-on high --json'.split(' ');
    args.push('--nodes', '3', '--broker', '127.0.0.1:4222');

    expect(parseOptions(args, place)).toEqual({
      lock: '/work/a',
      out: '/b',
      log: '/work/c',
      anchors: '/work/d',
      researchers: 7,
      nodes: 3,
      broker: '127.0.0.1:4222',
      withRogue: true,
      isJson: true,
      failOn: 'high',
    });
  });

  test.each([
    ['/state', '/state/ringmesh/anchors'],
    ['relative', '/home/me/.local/state/ringmesh/anchors'],
  ])('with the state folder %s the anchors are in %s', (folder, anchors) => {
    expect(parseOptions([], { ...place, env: { XDG_STATE_HOME: folder } })).toMatchObject({ anchors });
  });

  test.each([
    '--researchers 0',
    '--researchers 17',
    '--researchers x',
    '--nodes 0',
    '--nodes 9',
    '--broker here',
    '--fail-on worst',
    '--what',
    'file',
    '--lock',
  ])('%j is refused', (text) => {
    expect(() => parseOptions(text.split(' '), place)).toThrow(expect.objectContaining({ code: 'usage.invalid' }));
  });

  test('--help', () => {
    expect(parseOptions(['--help'], place)).toBe('help');
  });
});

function progress(judged: number, failed: number, total = 10): AuditProgress {
  const results = new Map<string, Judgement>();
  for (let n = 0; n < judged + failed; n += 1) {
    const name = `p${n}`;
    const failure = { code: 'registry.refused', message: 'no' };
    results.set(name, n < judged ? { type: 'judged', name, packages: [] } : { type: 'failed', name, failure });
  }
  return { audit: 'a', total, skipped: 1, results, end: undefined };
}

describe('progress', () => {
  test.each<[number, number, number, string]>([
    [0, 0, 50, '[..............................] 0 of 10 packages'],
    [5, 0, 50, '[###############...............] 5 of 10 packages'],
    [9, 1, 50, '[####################] 9 of 10 packages, 1 failed'],
    [5, 0, 20, '5 of 10 packages'],
    [5, 0, 10, '5 of 10 p'],
  ])('%i judged and %i failed in %i columns', (judged, failed, columns, expected) => {
    expect(barOf(progress(judged, failed), columns)).toBe(expected);
  });

  test('nothing to do is done', () => {
    expect(barOf(progress(0, 0, 0), 50)).toContain('[##############################]');
  });

  test('a terminal gets one line that is drawn again, and keeps the last', () => {
    const written: string[] = [];
    const line = new ProgressLine({ columns: 40, write: (text) => written.push(text) });
    line.show(progress(1, 0));
    line.show(progress(2, 0));
    line.end();
    line.end();

    expect(written).toEqual([expect.stringContaining('\r\u001b[K[##'), expect.stringContaining('2 of 10'), '\n']);
  });

  test('elsewhere there is a line for every tenth', () => {
    const written: string[] = [];
    const line = new ProgressLine({ columns: undefined, write: (text) => written.push(text) });
    for (let done = 0; done <= 20; done += 1) line.show(progress(done, 0, 20));
    line.end();

    expect(written).toHaveLength(11);
    expect(written.at(-1)).toBe('audit: 20 of 20 packages\n');
  });
});

const verified = {
  origin: 'o',
  size: 9,
  root: 'r',
  checkpoints: 1,
  anchor: 'agrees',
  epochs: [0],
  problems: [],
  problemCount: 0,
} as never as Parameters<typeof summaryOf>[1][0];

const governed: Ledger['governed'] = {
  verdicts: { allow: 3, deny: 1, escalate: 0 },
  rules: { 'audit/fetch': 3 },
  refused: [{ agent: 'rogue', code: 'tool.unknown', count: 1 }],
  moves: [{ agent: 'rogue', from: 2, to: 3 }],
  falls: [{ agent: 'rogue', from: 650, to: 12, tier: 'untrusted' }],
};

const ENDED = { isComplete: false, written: { type: 'written' as const, files: ['report.json'] } };

function summary(change: Partial<Summary> = {}, over: AuditProgress = progress(9, 1)): Summary {
  const ledger: Ledger = { progress: { ...over, end: ENDED }, governed, hasEnded: true };
  return { ...summaryOf({ ledger, isNew: true }, [verified], { out: '/out', log: '/log' }), ...change };
}

describe('summary', () => {
  test('everything that a person or a program wants to know', () => {
    expect(summary()).toMatchObject({
      names: { total: 10, judged: 9, failed: 1 },
      failures: [{ name: 'p9', code: 'registry.refused' }],
      reports: ['/out/report.json'],
      log: { directory: '/log', origin: 'o', size: 9, root: 'r' },
      isVerified: true,
    });
    expect(JSON.parse(formatSummary(summary(), true))).toEqual(summary());
    expect(formatSummary(summary(), false).split('\n')).toEqual(
      expect.arrayContaining([
        'by rule    audit/fetch: 3',
        'refused    rogue: tool.unknown, once',
        'demoted    rogue: from ring 2 to ring 3',
        'trust      rogue: from 650 to 12, untrusted',
        'missing    p9: registry.refused',
        'next       run it again: only what is missing is fetched',
      ]),
    );
  });

  test('several nodes are verified when each is', () => {
    const other = { ...verified, origin: 'p', size: 4 };
    const ended = { ledger: { progress: { ...progress(9, 1), end: ENDED }, governed, hasEnded: true }, isNew: true };
    const two = (second: typeof verified) => summaryOf(ended, [verified, second], { out: '/out', log: '/log' });

    expect(two(other)).toMatchObject({ isVerified: true, others: [{ origin: 'p', size: 4, root: 'r' }] });
    expect(two({ ...other, problemCount: 1 }).isVerified).toBe(false);
  });

  test('several nodes are verified only where their logs agree', () => {
    const ledger: Ledger = { progress: { ...progress(9, 1), end: ENDED }, governed, hasEnded: true };
    const counts = { logs: 2, agreed: { messages: 3, causes: 4, heads: 5 }, inFlight: 0, elsewhere: 0 };
    const fault = { code: 'logs.not_sent', by: { log: 'p', index: 7 }, about: { log: 'o' }, message: 'found none' };
    const of = (faults: readonly (typeof fault)[]) => {
      const agreement = { ...counts, faults, faultCount: faults.length };
      return summaryOf({ ledger, isNew: true, agreement }, [verified, verified], { out: '/out', log: '/log' });
    };

    expect(of([])).toMatchObject({ isVerified: true, agreement: { logs: 2 } });
    expect(formatSummary(of([]), false)).toContain(
      'agreed     yes: sent and accepted, causes and heads, over 2 logs\n',
    );
    expect(of([fault])).toMatchObject({ isVerified: false, problems: ['logs.not_sent: found none'] });
    expect(formatSummary(of([fault]), false)).toContain('agreed     NO\n');
  });

  test('many failures are not listed one by one', () => {
    expect(formatSummary(summary({}, progress(0, 30, 30)), false)).toContain('missing    and 20 more\n');
  });

  const high = { critical: 0, high: 1, medium: 0, low: 0, info: 0 };
  test.each<[string, Partial<Summary>, 'high' | 'critical' | 'low' | undefined, number]>([
    ['complete', { isComplete: true }, undefined, 0],
    ['complete, and worse than allowed', { isComplete: true, findings: high }, 'low', 4],
    ['complete, as bad as allowed', { isComplete: true, findings: high }, 'critical', 0],
    ['incomplete', {}, undefined, 3],
    ['incomplete, and bad', { findings: high }, 'high', 3],
    ['no report', { unwritten: { code: 'file.not_plain', message: '' } }, undefined, 1],
    ['a log that does not verify', { isComplete: true, isVerified: false }, undefined, 5],
  ])('the exit code of %s', (_what, change, failOn, expected) => {
    expect(exitCodeOf(summary(change), failOn)).toBe(expected);
  });
});
