import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EXIT_CODES, exitCodeOf } from './exit-code.ts';

describe('the exit code of an error', () => {
  test.each([
    ['usage.invalid', 2],
    ['input.malformed', 2],
    ['log.id_reused', 2],
    ['log.old_format', 2],
    ['note.malformed_key', 2],
    ['key.small_order', 2],
    ['log.not_found', 3],
    ['log.out_of_range', 3],
    ['file.not_found', 3],
    ['checkpoint.not_found', 3],
    ['log.damaged', 5],
    ['log.rolled_back', 5],
    ['log.forked', 5],
    ['log.key_unusable', 5],
    ['anchor.missing', 5],
    ['anchor.damaged', 5],
    ['proof.wrong_root', 5],
    ['note.bad_signature', 5],
    ['record.not_canonical', 5],
    ['chaos.deviated', 6],
    ['realm.name_taken', 2],
    ['realm.keys_elsewhere', 3],
    ['realm.busy', 1],
    ['realm.lock_unusable', 1],
    ['log.no_access', 1],
    ['log.locked', 1],
    ['log.full', 1],
    ['assert.failed', 1],
    ['output.closed', 0],
  ])('%s is %i', (code, exit) => {
    const found = exitCodeOf(code);

    expect(found).toBe(exit);
  });

  test('a code that nobody listed is unexpected', () => {
    const found = exitCodeOf('toaster.burnt');

    expect(found).toBe(1);
  });

  test.each(['constructor', '__proto__', 'toString.x', 'valueOf.y'])(
    '%s is no code that the table inherits',
    (code) => {
      const found = exitCodeOf(code);

      expect(found).toBe(1);
    },
  );

  test.each(['README.md', 'docs/cli.md'])('the help names the same exit codes as %s', (path) => {
    const document = readFileSync(path, 'utf8');

    const inDocument = [...document.matchAll(/^\| (\d) \|/gm)].map(([, code]) => code);
    const inHelp = [...EXIT_CODES.matchAll(/^ {2}(\d) /gm)].map(([, code]) => code);

    expect(inHelp).toEqual(inDocument);
  });
});
