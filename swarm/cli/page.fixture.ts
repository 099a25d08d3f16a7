/** A page of the documentation as a session: its blocks are run in their order, and print what it shows. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import type { Desk } from './command.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export type Block = { readonly kind: string; readonly text: string };

/** Of a whole page, or of the section under a title. */
export function blocksOf(path: string, title?: string): readonly Block[] {
  const whole = readFileSync(resolve(ROOT, path), 'utf8');
  const isMeant = (section: string): boolean => title === undefined || section.startsWith(`${title}\n`);
  const page = whole
    .split(/^(?=## )/m)
    .filter(isMeant)
    .join('');
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
}

/** `sh`: a script that succeeds. `console`: commands after `$ `, each followed by what it prints. */
export function runBlock(at: Desk, { kind, text }: Block): void {
  if (kind === 'sh') {
    const { status, stdout, stderr } = run(at, text);
    expect({ text, status, told: status === 0 ? '' : stdout + stderr }).toEqual({ text, status: 0, told: '' });
    return;
  }
  expect(kind).toBe('console');
  for (const step of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...shown] = step.trimEnd().split('\n');
    const { status, stdout, stderr } = run(at, command);
    expect({ command, status, stderr: status === 0 ? '' : stderr }).toEqual({ command, status: 0, stderr: '' });
    expect({ command, stdout: stdout.trimEnd() }).toEqual({ command, stdout: expect.stringMatching(patternOf(shown)) });
  }
}

/** In a directory where `ringmesh` is a command, and `docs` and `examples` are those of a clone. */
function run(at: Desk, script: string) {
  const bin = join(at.path, 'bin');
  mkdirSync(bin, { recursive: true });
  const command = `#!/bin/sh\nexec "${process.execPath}" --conditions=source "${ROOT}/swarm/cli/main.ts" "$@"\n`;
  writeFileSync(join(bin, 'ringmesh'), command, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: at.path,
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: at.path, XDG_STATE_HOME: join(at.path, 'state') },
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

/** `…` is whatever a run has there, on its own line any lines. How far columns are apart is no matter. */
function patternOf(shown: readonly string[]): RegExp {
  const lines = shown.map((line) =>
    line === '…'
      ? '[\\s\\S]*?'
      : line
          .split('…')
          .map((part) => RegExp.escape(part).replace(/(?:\\x20| )+/g, ' +'))
          .join('.*'),
  );
  return new RegExp(`^${lines.join('\\n')}$`);
}
