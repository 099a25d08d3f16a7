import { describe, expect, test } from 'vitest';
import { Ambient, ambient, ambientReader } from './ambient.fixture.ts';
import { childHosts } from './child-hosts.ts';
import { installStrictMode, inTurn, outOfTurn } from './strict.ts';
import { TestNode } from './test-kit.ts';

installStrictMode();

const modules = { ambient: { module: import.meta.resolve('./ambient.fixture.ts'), name: 'ambientReader' } };
const names = Object.keys(ambient);
const setup = () => new TestNode({ implementations: [ambientReader], hosts: childHosts({ modules }) });

describe('strict mode, by the names that authors import', () => {
  test.each(names)('%s is refused inside a turn', (name) => {
    expect(() => inTurn('turn', () => ambient[name]?.())).toThrow(expect.objectContaining({ code: 'turn.ambient' }));
  });

  test.each(names)('%s works outside of turns, and on behalf of one', async (name) => {
    await expect(Promise.resolve(ambient[name]?.())).resolves.not.toThrow();
    await expect(Promise.resolve(inTurn('turn', () => outOfTurn(() => ambient[name]?.())))).resolves.not.toThrow();
  });

  test('a child host refuses them all, by a code, and lives on', async () => {
    await using kit = setup();
    const node = await kit.open();
    const one = await node.spawn(Ambient, 'one');

    for (const how of names) {
      expect([how, await node.ask(one).read({ how })]).toMatchObject([how, { type: 'failed', code: 'turn.ambient' }]);
    }
    expect(kit.count('host.exited')).toBe(0);
    expect(await node.ask(one).read({ how: 'nothing' })).toMatchObject({ type: 'ok' });
  });

  test('K3: a child host has one zone and one language, whatever the machine has', async () => {
    await using kit = setup();
    const node = await kit.open();
    const one = await node.spawn(Ambient, 'one');

    expect(await node.ask(one).zone({})).toMatchObject({
      type: 'ok',
      value: { zone: 'UTC', text: '1/1/1970, 12:00:00 AM' },
    });
  });
});
