/** Attacks on names: an agent that turns up elsewhere, and strangers who borrow a name. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createAgentFolder, readKeyFolder } from '../../mesh/key-folder.ts';
import { generateKeyPair } from '../../runtime/codec/ed25519.ts';
import { ManualClock, seededRandom } from '../../runtime/core/simulation.ts';
import { OPERATOR } from '../control/control-socket.ts';
import { provisionRealm } from './realm-folder.ts';
import { RosterRule } from './roster-rule.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringmesh-roster-'));
afterAll(() => rmSync(folder, { recursive: true }));
const ports = { clock: new ManualClock(), random: seededRandom(7) };

const nodes = [
  { name: 'one', agents: ['audit', 'audit/reporter'] },
  { name: 'two', agents: ['audit/researcher/1'] },
];
const roster = provisionRealm(join(folder, 'realm'), { realm: 'test', nodes }, ports);
const rule = new RosterRule(roster);
const [one, two] = roster.nodes.map(({ did }) => did);
const [, reporter] = roster.nodes[0]?.agents ?? [];
if (one === undefined || two === undefined || reporter === undefined)
  throw new Error('expected two nodes and their agents');

/** An agent of somebody's own making. */
function stranger(name: string) {
  const directory = join(folder, `stranger-${name}`);
  createAgentFolder(directory, { name, sponsor: generateKeyPair(ports.random) }, ports);
  return readKeyFolder(directory).did;
}

test('W1: an agent of the roster is at its node, and its keys are of no use at another', () => {
  expect(rule.mayHost(one, reporter.did)).toBe(true);
  expect(rule.mayHost(two, reporter.did)).toBe(false);
});

test('W2: a name of the roster belongs to whoever has it there, at any node; other names are for guests', () => {
  const [borrowed, own] = [stranger('audit-reporter'), stranger('visitor')];

  expect([one, two].map((node) => rule.mayHost(node, borrowed))).toEqual([false, false]);
  expect([one, two].map((node) => rule.mayHost(node, own))).toEqual([true, true]);
  expect(rule.nameOf(own, 'visitor')).toBe('guest/visitor');
  expect(rule.nameOf(reporter.did, 'audit-reporter')).toBe('audit/reporter');
});

test('W3: attack: an agent of somebody’s own making that calls itself the operator gets in nowhere', () => {
  const forged = stranger('operator');

  expect(rule.nameOf(forged, 'operator')).toBe(OPERATOR); // what rules for the operator would take it for
  expect([one, two].map((node) => rule.mayHost(node, forged))).toEqual([false, false]);
  expect(rule.mayHost(one, stranger('operator-1'))).toBe(true);
});
