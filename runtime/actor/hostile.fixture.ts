/** An agent that does to its host whatever it is told: what the tests of limits load in child processes. */
import { execFileSync } from 'node:child_process';
// biome-ignore lint/style/noRestrictedImports: it is to harm its process.
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { messageOf } from '../core/errors.ts';
import { contract } from './contract.ts';
import { implement } from './implement.ts';
import { tool } from './tool.ts';

/** An effect that the tests count. */
export const strike = tool('anvil.strike', { in: z.object({}), out: z.int(), effect: 'unsafe' });

const Nothing = z.object({});
const MIB = 1024 * 1024;

export const Hostile = contract('hostile', {
  messages: {
    /** Strikes once, and then does it. */
    harm: { in: z.object({ how: z.string() }), out: z.object({ found: z.string() }), within: '1h' },
    /** Strikes, then says where it runs. */
    work: { in: Nothing, out: z.object({ before: z.int(), after: z.int() }), within: '1h' },
    burn: { in: z.object({ rounds: z.int() }), out: z.object({ rounds: z.int() }), within: '1h' },
    hold: { in: z.object({ mib: z.int() }), out: z.object({ pid: z.int() }), within: '1h' },
    where: { in: Nothing, out: z.object({ pid: z.int(), harmed: z.int() }), within: '1h' },
  },
  events: { Harmed: Nothing },
  uses: { strike },
});

let isBurning = false;
// biome-ignore lint/style/noRestrictedGlobals: work that goes on between turns.
setInterval(() => {
  if (isBurning) burnFor(1);
}, 1);

const kept: unknown[] = [];

export const hostile = implement(Hostile, {
  state: () => ({ harmed: 0 }),
  evolve: { Harmed: ({ harmed }) => ({ harmed: harmed + 1 }) },
  on: {
    async harm({ how }, ctx) {
      await ctx.must.strike({});
      ctx.emit('Harmed', {});
      return { found: await harm(how) };
    },
    async work(_, ctx) {
      const before = process.pid;
      await ctx.must.strike({});
      ctx.emit('Harmed', {});
      return { before, after: process.pid };
    },
    burn({ rounds }) {
      burnFor(rounds);
      return { rounds };
    },
    hold({ mib }) {
      kept.length = 0;
      for (let n = 0; n < mib; n++) kept.push(Buffer.alloc(MIB, 1));
      return { pid: process.pid };
    },
    where: (_, ctx) => ({ pid: process.pid, harmed: ctx.state().harmed }),
  },
});

async function harm(how: string): Promise<string> {
  switch (how) {
    case 'buffers':
      for (;;) {
        kept.push(Buffer.alloc(4 * MIB, 1));
        await nextTick();
      }
    case 'heap':
      for (;;) kept.push({ text: `${kept.length}`.repeat(40) });
    case 'spin':
      while (how === 'spin') kept.length = 0;
      return '';
    case 'burn between turns':
      isBurning = true;
      return 'burning';
    case 'print':
      for (;;) {
        await new Promise((resolve) => process.stdout.write('x'.repeat(65_536), resolve));
      }
    case 'exit':
      return process.exit(0);
    case 'abort':
      return process.abort();
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => undefined);
    case 'babble':
      process.send?.({ type: 'done', turn: 'no such turn', reply: null });
      return new Promise(() => undefined);
    case 'null':
      process.send?.(null as never);
      return new Promise(() => undefined);
    case 'fork':
      return foundBy(() => execFileSync('/bin/true'));
    case 'thread':
      return foundBy(() => new Worker('', { eval: true }));
    default:
      return 'unharmed';
  }
}

function foundBy(attempt: () => unknown): string {
  try {
    attempt();
    return 'it worked';
  } catch (error) {
    return messageOf(error);
  }
}

/** Some 100 ms of CPU a round on the machine of docs/benchmarks.md. */
function burnFor(rounds: number): void {
  let sum = 1;
  for (let n = 0; n < rounds * 50_000_000; n++) sum = (Math.imul(sum, 31) + n) | 0;
  kept[0] = sum; // so that it is computed
}

/** The rest of the process has its say. */
function nextTick(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
