import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../runtime/codec/json.ts';
import { digestText, type LogRecord } from '../../runtime/codec/record.ts';
import { type History, originDigest } from './claims.ts';
import { crossCheck } from './cross-check.ts';
import { aTalk, rewritten, upTo } from './histories.fixture.ts';

const check = (...logs: readonly History[]) => crossCheck(logs.map((log) => ({ said: log, now: log })));
const codes = (...logs: readonly History[]) => [...new Set(check(...logs).faults.map(({ code }) => code))];
const dataOf = ({ payload }: LogRecord): Record<string, JsonValue> =>
  (payload.type === 'json' ? payload.value : {}) as Record<string, JsonValue>;
const isFromOutside = ({ type, envelope }: LogRecord): boolean => type === 'message.accepted' && envelope !== undefined;

/** Without the first event that `is` one. */
function without(
  log: History,
  is: (record: LogRecord) => boolean,
): { readonly log: History; readonly removed: number } {
  const removed = [...log.read()].findIndex(is);
  return { removed, log: rewritten(log, (records) => records.filter(({ index }) => index !== removed)) };
}

describe('logs that are as they were written', () => {
  test('agree: what was sent with what was accepted, causes, and heads', async () => {
    const { ann, bob } = await aTalk();

    const report = check(ann.log, bob.log);

    expect(report).toMatchObject({ logs: 2, inFlight: 0, elsewhere: 0, faults: [], faultCount: 0 });
    expect(report.agreed).toEqual({ messages: 5, causes: 5, heads: 2 });
  });

  test('agree with a message on its way, which is counted', async () => {
    const { ann, bob } = await aTalk(true);

    expect(check(ann.log, bob.log)).toMatchObject({ inFlight: 1, faults: [] });
  });

  test('agree while they are written: what one knows is held against what the other has by now', async () => {
    const { ann, bob } = await aTalk();
    const earlier = upTo(ann.log, 3);

    const report = crossCheck([
      { said: earlier, now: ann.log },
      { said: bob.log, now: bob.log },
    ]);

    expect(report.faults).toEqual([]);
    expect(codes(earlier, bob.log)).toContain('logs.not_sent'); // so that the order of reading matters
  });

  test('say nothing about logs that were not given', async () => {
    const { ann } = await aTalk();

    const report = check(ann.log);

    expect(report).toMatchObject({ logs: 1, faults: [] });
    expect(report.elsewhere).toBeGreaterThan(0);
  });
});

describe('a node that writes its log anew is found out', () => {
  test('an acceptance that it removed is named with what sent it and what confirmed it', async () => {
    const { ann, bob } = await aTalk();
    const { log } = without(bob.log, (record) => isFromOutside(record) && dataOf(record)['kind'] === 'tell');
    const sent = [...ann.log.read()].find(({ type }) => type === 'message.sent');
    const delivered = [...ann.log.read()].find(({ type }) => type === 'message.delivered');

    const [first] = check(ann.log, log).faults;

    expect(first).toEqual({
      code: 'logs.not_accepted',
      by: { log: 'realm/ann/log/0', index: delivered?.index },
      about: { log: 'realm/bob/log/0' },
      message: `expected the acceptance of the tell "add" of ann to bob, which event ${sent?.index} sent and event ${delivered?.index} has as accepted, found none`,
    });
  });

  test('the acceptance of an ask that was answered, too', async () => {
    const { ann, bob } = await aTalk();
    const { log } = without(bob.log, (record) => isFromOutside(record) && dataOf(record)['kind'] === 'ask');

    expect(check(ann.log, log).faults[0]).toMatchObject({
      code: 'logs.not_accepted',
      message: expect.stringContaining('the ask "get" of ann to bob'),
    });
  });

  test.each([
    ['a tell', 'message.sent', undefined],
    ['an ask', 'action.decided', 'ask'],
  ])('%s that it sent and denies is named by who accepted it', async (_, type, verb) => {
    const { ann, bob } = await aTalk();
    const { log } = without(
      ann.log,
      (record) => record.type === type && (verb === undefined || dataOf(record)['verb'] === verb),
    );

    const faults = check(log, bob.log).faults.filter(({ code }) => code === 'logs.not_sent');

    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ by: { log: 'realm/bob/log/0' }, about: { log: 'realm/ann/log/0' } });
  });

  test('an event that nobody else was told of shows in every later root and cause', async () => {
    const { ann, bob } = await aTalk();
    const { log } = without(ann.log, ({ type }) => type === 'turn.committed');

    expect(codes(log, bob.log)).toEqual(['logs.event_differs', 'logs.split_view']);
  });

  test('as many events with another content are another history', async () => {
    const { ann, bob } = await aTalk();
    const forged = rewritten(ann.log, (records) =>
      records.map((record) =>
        record.type === 'turn.committed' ? { ...record, wallMs: (record.wallMs + 1) as LogRecord['wallMs'] } : record,
      ),
    );

    const { faults } = check(forged, bob.log);

    expect(forged.size).toBe(ann.log.size);
    expect(faults.at(-1)).toMatchObject({
      code: 'logs.split_view',
      by: { log: 'realm/bob/log/0' },
      about: { log: 'realm/ann/log/0', size: expect.any(Number) },
    });
  });

  test('an older copy lacks what its node has stated', async () => {
    const { ann, bob } = await aTalk();

    const found = codes(ann.log, upTo(bob.log, 2));

    expect(found).toEqual(['logs.not_accepted', 'logs.not_sent', 'logs.event_missing', 'logs.head_beyond']);
  });

  test('messages of one sender in another order than that in which they were sent', async () => {
    const { ann, bob } = await aTalk();
    const tells = [...bob.log.read()].filter((record) => isFromOutside(record) && dataOf(record)['kind'] === 'tell');
    const [one, two] = tells as [LogRecord, LogRecord];
    const swapped = rewritten(bob.log, (records) =>
      records.map((record) => (record.index === one.index ? two : record.index === two.index ? one : record)),
    );

    expect(codes(ann.log, swapped)).toContain('logs.out_of_order');
  });

  test('a message accepted by two nodes', async () => {
    const { ann, bob } = await aTalk();
    const [accepted] = [...bob.log.read()].filter(isFromOutside) as [LogRecord];
    const twice = rewritten(ann.log, (records) => [...records, { ...accepted, origin: originDigest(ann.log) }]);

    expect(codes(twice, bob.log)).toContain('logs.accepted_twice');
  });
});

describe('a node that shows one history here and another there', () => {
  test('is found out by two who were told, without its log', async () => {
    const { ann, bob } = await aTalk();
    const third = upTo(ann.log, 2);
    const stranger = (name: string) => ({
      ...third,
      origin: `realm/${name}/log/0` as History['origin'],
      root: third.root,
    });
    const other = upTo(bob.log, 2);
    await ann.hear(stranger('eve'), 'did:example:eve');
    await bob.hear({ ...stranger('eve'), root: other.root }, 'did:example:eve');

    const { faults } = check(ann.log, bob.log);

    expect(faults).toEqual([
      expect.objectContaining({ code: 'logs.split_view', by: { log: 'realm/bob/log/0', index: bob.log.size - 1 } }),
    ]);
    expect(faults[0]?.message).toContain('did:example:eve');
    expect(faults[0]?.message).toContain(`realm/ann/log/0 (event ${ann.log.size - 1})`);
  });

  test('was caught by one of them already, who has it on record', async () => {
    const { ann, bob } = await aTalk();
    const head = { origin: originDigest(bob.log), size: 1, root: digestText(bob.log.root(1)) };
    const node = 'did:example:eve';
    await ann.record('peer.split_view', { node, heard: head, said: { ...head, root: digestText(ann.log.root(1)) } });

    expect(check(ann.log, bob.log).faults[0]).toMatchObject({
      code: 'logs.split_view',
      by: { index: ann.log.size - 1 },
      about: { log: 'realm/bob/log/0', size: 1 },
    });
  });

  test('two copies of one log agree while one is how the other began', async () => {
    const { ann } = await aTalk();

    expect(check(ann.log, upTo(ann.log, 4))).toMatchObject({ logs: 2, faults: [] });
  });

  test('two copies that part are named with the event at which they do', async () => {
    const { ann } = await aTalk();
    const other = rewritten(ann.log, (records) => records.filter(({ index }) => index !== 5));

    const [first] = check(ann.log, other).faults;

    expect(first).toMatchObject({ code: 'logs.split_view', about: { log: 'realm/ann/log/0', index: 5 } });
  });
});
