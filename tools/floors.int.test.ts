import { describe, expect, test } from 'vitest';
import { checkFloors } from './floors.ts';
import { scratch } from './scratch.ts';

/** What the planted files import. */
const targets = Object.fromEntries(
  ['runtime/core/b.test.ts', 'runtime/log/b.ts', 'runtime/index.ts', 'mesh/b.ts', 'sre/b.ts', 'tools/b.ts'].map(
    (file) => [file, 'export type B = string;\n'],
  ),
);
const core = { 'runtime/core/result.ts': 'export type Result = boolean;\nexport const ok = true;\n' };

describe('floors', () => {
  test('a tree whose imports all point down passes, and every module of it was read', async () => {
    using tree = scratch({
      ...core,
      'package.json': JSON.stringify({ name: 'ringmesh', exports: { './runtime': { source: './runtime/index.ts' } } }),
      'runtime/log/store.ts':
        "import { open } from 'lmdb';\nimport { ok } from '../core/result.ts';\nexport { ok, open };\n",
      'runtime/log/store.test.ts':
        "import { createHash } from 'node:crypto';\nimport { test } from 'vitest';\ntest(createHash.name);\n",
      'runtime/index.ts': "export { ok } from './core/result.ts';\n",
      'swarm/assemble.ts':
        "import { readFileSync } from 'node:fs';\nimport { ok } from '../runtime/core/result.ts';\nexport { ok, readFileSync };\n",
      'examples/hello/main.ts': "import { ok } from 'ringmesh/runtime';\nexport { ok };\n",
      'bench/main.ts':
        "import { ok } from '../runtime/core/result.ts';\nimport publint from 'publint';\nexport { ok, publint };\n",
    });

    expect(await checkFloors(tree.path)).toEqual({ modules: 7, violations: [] });
  });

  test.each([
    ["import '../log/b.ts';", 'runtime/codec-is-low: runtime/codec/a.ts → runtime/log/b.ts'],
    ["import type { B } from '../log/b.ts';", 'runtime/core-is-low: runtime/core/a.ts → runtime/log/b.ts'],
    ["export type A = import('../log/b.ts').B;", 'runtime/core-is-low: runtime/core/a.ts → runtime/log/b.ts'],
    ["await import('../log/b.ts');", 'runtime/core-is-low: runtime/core/a.ts → runtime/log/b.ts'],
    ["export { B } from '../mesh/b.ts';", 'policies-is-low: policies/a.ts → mesh/b.ts'],
    ["import type { B } from '../sre/b.ts';", 'sagas-is-low: sagas/a.ts → sre/b.ts'],
    ["import '../tools/b.ts';", 'swarm-is-low: swarm/a.ts → tools/b.ts'],
    ["import '../runtime/index.ts';", 'import-the-file: mesh/a.ts → runtime/index.ts'],
    ["import '../runtime/log/b.ts';", 'faces-only: examples/a.ts → runtime/log/b.ts'],
    ["import '../core/b.test.ts';", 'tests-are-leaves: runtime/log/a.ts → runtime/core/b.test.ts'],
    ["import 'lmdb';", 'lmdb-at-home: runtime/kernel/a.ts → lmdb/'],
    ["import '@noble/curves/ed25519.js';", '@noble/-at-home: runtime/log/a.ts → @noble/curves/'],
    ["import 'multiformats/cid';", 'multiformats-at-home: runtime/core/a.ts → multiformats/'],
    ["import 'nats';", 'nats-at-home: swarm/a.ts → nats'],
    ["import '@nats-io/transport-node';", '@nats-io/-at-home: swarm/a.ts → @nats-io/transport-node'],
    ["import 'xstate';", 'xstate-at-home: runtime/core/a.ts → xstate'],
    ["import 'did-jwt';", 'did-jwt-at-home: policies/a.ts → did-jwt'],
    ["import 'commander';", 'commander-at-home: sre/a.ts → commander/'],
    ["import 'picocolors';", 'picocolors-at-home: runtime/log/a.ts → picocolors/'],
    ["import type { z } from 'zod';", 'zod-at-home: runtime/codec/a.ts → zod/'],
    ["import 'node:crypto';", 'node:crypto-at-home: runtime/log/a.ts → crypto'],
    ["import 'crypto';", 'node:crypto-at-home: runtime/log/a.ts → crypto'],
    ["import 'vitest';", 'vitest-at-home: runtime/log/a.ts → vitest/'],
    ["import 'fast-check';", 'fast-check-at-home: policies/a.ts → fast-check/'],
    ["import 'left-pad';", 'unlisted: swarm/a.ts → left-pad'],
  ])('%s breaks %s', async (text, expected) => {
    const [, from = ''] = / (\S+) → /.exec(expected) ?? [];
    using tree = scratch({ ...targets, [from]: `${text}\n` });

    const { violations } = await checkFloors(tree.path);

    expect(violations).toEqual([expect.stringContaining(expected)]);
  });

  test('a machine definition may import xstate, where it stands', async () => {
    using tree = scratch({
      'policies/ring.machine.ts': "import 'xstate';\n",
      'runtime/core/machine.ts': "import 'xstate';\n",
    });

    expect((await checkFloors(tree.path)).violations).toEqual([]);
  });

  test('a cycle is refused, also one of types', async () => {
    using tree = scratch({
      'runtime/core/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
      'runtime/core/b.ts': "import type { A } from './a.ts';\nexport type B = A | 1;\n",
    });

    const { violations } = await checkFloors(tree.path);

    expect(violations).toContain('no-cycle: runtime/core/a.ts → runtime/core/b.ts');
  });

  test('a folder that is no room is refused', async () => {
    using tree = scratch({ ...core, 'lib/a.ts': 'export const a = 1;\n' });

    expect((await checkFloors(tree.path)).violations).toEqual(['no-such-room: lib/a.ts']);
  });

  test('a reader that reads nothing fails the gate', async () => {
    using tree = scratch(core);
    const blind = async () => ({ modules: [], summary: { violations: [] } }) as never;

    expect(await checkFloors(tree.path, blind)).toEqual({
      modules: 0,
      violations: ['unread: 1 files, 0 modules read'],
    });
  });
});
