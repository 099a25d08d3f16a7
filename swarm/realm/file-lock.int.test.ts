import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LineProcess } from './line-process.fixture.ts';

const HOLDER = new URL('./file-lock-holder.fixture.ts', import.meta.url);

test('X1: of processes that try at once one has it, in every round', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-lock-'));
  await using stack = new AsyncDisposableStack();
  const processes = [1, 2].map(() => stack.use(new LineProcess(HOLDER)));
  const rounds: string[] = [];
  for (let round = 0; round < 200; round++) {
    const path = join(folder.path, `${round}.lock`);
    const said = await Promise.all(processes.map((one) => one.ask(path)));
    rounds.push(said.toSorted().join());
  }
  expect([...new Set(rounds)]).toEqual(['busy,got']);
});
