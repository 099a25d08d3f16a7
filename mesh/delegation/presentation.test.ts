import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../runtime/core/bytes.ts';
import { NOW } from '../world.fixture.ts';
import { learnDelegations, writeDelegations } from './presentation.ts';
import { Realm } from './realm.fixture.ts';

async function shown(change: (content: Uint8Array) => Uint8Array = (content) => content): Promise<unknown[]> {
  const realm = new Realm('presentation');
  const chain = await realm.chain([realm.party(), realm.party(), realm.party()]);
  const answers = await learnDelegations(change(writeDelegations(chain)), realm.delegations, NOW);
  return answers.map((answer) => (answer.ok ? answer.value.isNews : answer.error.code));
}

describe('a chain that is shown', () => {
  test('is known afterwards', async () => {
    expect(await shown()).toEqual([true, true, true]);
  });

  test('and shown again is no news', async () => {
    expect(await shown((content) => concat(content, content))).toEqual([true, true, true, false, false, false]);
  });

  test('with a bad line loses what hangs below it, and nothing else', async () => {
    expect(await shown((content) => concat(utf8('x.y.z\n'), content))).toEqual(['jwt.wrong_header', true, true, true]);
    const afterFirst = (content: Uint8Array): Uint8Array => content.subarray(content.indexOf(0x0a) + 1);
    expect(await shown(afterFirst)).toEqual(['delegation.unknown', 'delegation.unknown']);
  });

  test.each([
    ['without the last end', (content: Uint8Array) => content.subarray(0, -1)],
    ['with too many lines', (content: Uint8Array) => concat(content, utf8('\n'.repeat(62)))],
  ])('%s is refused', async (_what, change) => {
    expect(await shown(change)).toEqual(['jwt.malformed']);
  });
});
