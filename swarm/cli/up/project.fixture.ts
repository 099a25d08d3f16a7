/** A user's project: a clerk who asks a desk, a tool with settings, and the swarm file that runs them. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Desk, desk } from '../command.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

const CONTRACT = `
import { contract, tool } from 'ringmesh/runtime';
import { z } from 'zod';
export const note = tool('notes.add', { in: z.object({ text: z.string() }), out: z.object({ told: z.string() }), effect: 'idempotent', within: '60s' });
export const Desk = contract('desk', {
  messages: { open: { in: z.object({}), out: z.object({ said: z.string() }) }, wait: { in: z.object({}), out: z.object({}) } },
  events: { Opened: z.object({ for: z.string() }) },
  uses: { note },
});
const Told = z.object({ type: z.string(), code: z.string(), said: z.string() });
export const Clerk = contract('clerk', {
  messages: { visit: { in: z.object({}), out: Told }, hire: { in: z.object({}), out: Told } },
});
`;

/** Refuses to be imported where there is a PATH: a host has none. */
const AGENTS = `
import { implement, refTo } from 'ringmesh/runtime';
import { Clerk, Desk } from './contract.ts';
if (process.env.PATH !== undefined) throw new Error('in the node itself');
export const desk = implement(Desk, {
  state: () => ({}),
  evolve: { Opened: (state) => state },
  on: {
    async open(_, ctx) {
      const noted = await ctx.use.note({ text: 'opened' });
      ctx.emit('Opened', { for: ctx.caller.agent });
      return noted.type === 'ok' ? { said: noted.value.told } : noted;
    },
    async wait(_, ctx) {
      await ctx.use.note({ text: 'wait' });
      return {};
    },
  },
});
async function visit(ctx) {
  const told = await ctx.ask(refTo(Desk, 'desk')).open({});
  return { type: told.type, code: told.code ?? '', said: told.value?.said ?? '' };
}
export const clerk = implement(Clerk, {
  state: () => ({}),
  evolve: {},
  on: {
    visit: (_, ctx) => visit(ctx),
    async hire(_, ctx) {
      const hired = await ctx.spawn(Desk, 'desk');
      return hired.type === 'ok' ? visit(ctx) : hired;
    },
  },
});
`;

const TOOLS = `
import { provide } from 'ringmesh/runtime';
import { note } from './contract.ts';
export const notes = ({ who, days, token }) => ({
  tools: [provide(note, async ({ text }, { signal }) => {
    if (text === 'wait' && days !== 0) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return { told: [who, days, token].join(' ') };
  })],
  [Symbol.dispose]: () => console.error('tools closed'),
});
`;

const POLICY = `apiVersion: ringmesh.policy/v1
name: office
layer: org
tools:
  notes.add: { effects: [write], reversibility: reversible, parameters: { text: { type: string } } }
rules:
  - id: notes
    on: { verb: use, tool: notes.add, agent: desk }
    effect: allow
  - id: hires
    on: { verb: spawn, tool: desk@desk, agent: clerk/* }
    effect: allow
  - id: visits
    on: { verb: ask, tool: desk.open@desk, agent: clerk/* }
    effect: allow
`;

export const SWARM = `apiVersion: ringmesh.swarm/v1
realm: office
policies: [./policy.yaml]
settings: { who: ann, days: 30, token: { secret: ./token } }
tools:
  notes: { module: ./tools.ts, export: notes, with: [who, days, token] }
agents:
  - name: desk
    contract: { module: ./contract.ts, export: Desk }
    module: ./agents.ts
    export: desk
    endorsement: { ring: 2, trust: 650, for: 1h }
  - name: clerk/*
    count: 1
    contract: { module: ./contract.ts, export: Clerk }
    module: ./agents.ts
    export: clerk
    endorsement: { ring: 2, trust: 650, for: 1h }
    start: { message: visit }
roles:
  front: { agents: [desk] }
  back: { agents: [clerk/*], tools: [notes] }
until: answered
`;

/** A desk with the project in it, whose swarm file is changed. */
export function project(change: (text: string) => string = (text) => text): Desk {
  const at = desk();
  mkdirSync(join(at.path, 'node_modules'));
  symlinkSync(ROOT, join(at.path, 'node_modules/ringmesh'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(at.path, 'node_modules/zod'));
  const files = { 'package.json': '{ "type": "module" }', 'contract.ts': CONTRACT, 'agents.ts': AGENTS };
  const more = { 'tools.ts': TOOLS, 'policy.yaml': POLICY, 'swarm.yaml': change(SWARM) };
  for (const [name, text] of Object.entries({ ...files, ...more })) writeFileSync(join(at.path, name), text);
  writeFileSync(join(at.path, 'token'), 't0ken\n', { mode: 0o600 });
  return at;
}

/** As in a clone: modules are found as source. */
export const AS_SOURCE = { nodeArgs: ['--conditions=source'] } as const;

/** Resolves with the rest of the next line of stderr that begins so. Lines before it are gone. */
export async function lineOf(child: ChildProcessWithoutNullStreams, beginning: string): Promise<string> {
  const lines = linesOf.get(child) ?? createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  linesOf.set(child, lines);
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    if (line.value.startsWith(beginning)) return line.value.slice(beginning.length).trim();
  }
  throw new Error(`expected a line "${beginning}", found the end`);
}

/** One reader for each: a second would miss what the first has taken and not looked at. */
const linesOf = new WeakMap<ChildProcessWithoutNullStreams, AsyncIterator<string>>();
