import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandOf, readCommand, spell } from './words.ts';

test.each([
  ['price', '/quote/price'],
  ['fetchPage', '/quote/fetch-page'],
  ['Price', '/quote/0-price'],
  ['aURL2', '/quote/a-u-r-l2'],
])('%s is %s', (name, command) => {
  expect(commandOf('quote', name)).toBe(command);
  expect(readCommand(command)).toEqual({ contract: 'quote', name });
});

test('every name that can be spelled is read back, and every command that is read has that one spelling', () => {
  const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,59}$/);
  fc.assert(
    fc.property(word, (name) => {
      const spelled = spell(name);
      if (spelled === undefined) expect(name.replace(/[^A-Z]/g, '').length).toBeGreaterThan(1);
      else expect([spelled.length <= 63, readCommand(`/c/${spelled}`)?.name]).toEqual([true, name]);
    }),
  );
  const segment = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  fc.assert(
    fc.property(segment, (text) => {
      const read = readCommand(`/c/${text}`);
      if (read !== undefined) expect(spell(read.name)).toBe(text);
    }),
  );
});

test.each([
  '/quote',
  '/quote/a/b',
  '/quote/-a',
  '/quote/a--b',
  '/quote/0a',
  '/quote/a-1',
  '/quote/',
  'quote/a',
  '/quote/A',
])('%s is no command of a message', (command) => {
  expect(readCommand(command)).toBeUndefined();
});
