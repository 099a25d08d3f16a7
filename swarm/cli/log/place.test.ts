import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { anchorsOf } from './place.ts';

test.each([
  ['what was asked for', { anchor: '/a' }, { XDG_STATE_HOME: '/state' }, '/a'],
  ['the user’s state folder', {}, { XDG_STATE_HOME: '/state' }, '/state/ringmesh/anchors'],
  ['the same where the variable is empty', { anchor: '' }, { XDG_STATE_HOME: '/state' }, '/state/ringmesh/anchors'],
  ['its default', {}, {}, `${homedir()}/.local/state/ringmesh/anchors`],
  [
    'its default where the variable is relative',
    {},
    { XDG_STATE_HOME: 'state' },
    `${homedir()}/.local/state/ringmesh/anchors`,
  ],
])('anchors are kept in %s', (_where, options, env, expected) => {
  const place = anchorsOf(options, env);

  expect(place).toBe(expected);
});
