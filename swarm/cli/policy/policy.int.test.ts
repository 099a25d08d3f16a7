import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { signBundle } from '../../../policies/bundle/signed.ts';
import { formatDidKey } from '../../../runtime/codec/did-key.ts';
import { generateKeyPair } from '../../../runtime/codec/ed25519.ts';
import type { EventId } from '../../../runtime/codec/record.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import { uuidv7 } from '../../../runtime/core/uuid.ts';
import { HOUSE, rulesOf } from '../../policy/office.fixture.ts';
import { type Desk, desk, ended, expectError, linesFrom, objects } from '../command.fixture.ts';
import { aDay, openDay } from './day.fixture.ts';

const PACKS = resolve(import.meta.dirname, '../../../policies/packs');
const GOOD =
  'apiVersion: ringmesh.policy/v1\nname: good\nlayer: org\ntools: { mail.read: { effects: [read] } }\nrules: [{ readOnly: {} }]\n';

function put(at: Desk, name: string, text: string): void {
  const path = join(at.path, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

describe('policy check', () => {
  test('names the documents and the bundle that they make', () => {
    using at = desk();
    put(at, 'good.yaml', GOOD);

    const { status, stdout, stderr } = at.run(['policy', 'check', 'good.yaml']);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^ok {2}good.yaml {2}good {2}org {2}2 rules\nbundle [\w-]{43}\n$/);
    expect(at.run(['policy', 'check', '-', '--json'], { input: GOOD }).stdout).toMatch(
      /^\{"bundle":"[\w-]{43}","tools":1/,
    );
  });

  test('shows each fault with its line and a caret, and ends with exit 2', () => {
    using at = desk();
    put(at, 'bad.yaml', GOOD.replace('[read]', '[raed]'));

    const { status, stdout, stderr } = at.run(['policy', 'check', 'bad.yaml']);

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('bad.yaml:4:33: document.malformed: expected one of read,');
    expect(stderr).toContain('\n   |                                 ^^^^\n  did you mean read?\n');
    expect(stderr).toMatch(/\nringmesh: input\.malformed: expected policies without faults, found one fault\n$/);
  });

  test('a file that is not there is not found', () => {
    using at = desk();

    expect(at.run(['policy', 'check', 'none.yaml']).status).toBe(3);
  });
});

describe('policy test', () => {
  test('runs the tables of the packs', () => {
    using at = desk();

    const { status, stdout, stderr } = at.run([
      'policy',
      'test',
      join(PACKS, 'money.test.yaml'),
      join(PACKS, 'secrets.test.yaml'),
    ]);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/\n\d+ cases, all as expected\n$/);
  });

  test('says what differs, and ends with exit 1', () => {
    using at = desk();
    put(at, 'good.yaml', GOOD);
    put(
      at,
      'tests/table.yaml',
      'apiVersion: ringmesh.policy-test/v1\npolicies: [../good.yaml]\ncases:\n  - { name: reads, given: { tool: mail.read }, expect: { verdict: deny } }\n',
    );

    const { status, stdout, stderr } = at.run(['policy', 'test', 'tests/table.yaml']);

    expect(status).toBe(1);
    expect(stdout).toBe('FAILED  tests/table.yaml: reads\n        expected verdict "deny", found "allow": allowed\n');
    expect(stderr).toBe('ringmesh: policy.test_failed: 1 of 1 cases are not as expected\n');
    expect(objects(at.run(['policy', 'test', 'tests/table.yaml', '--json']).stdout)).toMatchObject([
      { case: 'reads', ok: false },
    ]);
  });
});

/** The index of the first decision with this code. */
function indexOf(at: Desk, code: string): string {
  const { stdout } = at.run(['log', 'show', 'log', '--type', 'action.decided', '--json']);
  const found = objects(stdout).find(({ decision }) => (decision as { readonly code: string }).code === code);
  return String(found?.['index']);
}

describe('policy explain', () => {
  test('tells a decision in words: what was asked, by which rules, what each part of their conditions saw', async () => {
    using at = desk();
    await aDay(at);
    put(at, 'house.yaml', HOUSE);

    const { status, stdout, stderr } = at.run([
      'policy',
      'explain',
      'log',
      indexOf(at, 'policy.escalated'),
      '--bundle',
      'house.yaml',
    ]);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^escalate {2}policy\.escalated {2}event \d+ {2}20/);
    expect(stdout).toContain('clerk wanted to use refund.issue with {"amount":20000}\nin ring 2 with trust 650 as of ');
    expect(stdout).toContain(`under the bundle ${rulesOf(HOUSE).digest}, version 1, in force since event `);
    expect(stdout).toContain('decided by the policy gate\n');
    expect(stdout).toContain('  house/refund-cap  org  house.yaml:16\n');
    expect(stdout).toContain('true     args.amount > 10000; args.amount was 20000\n');
    expect(stdout).toContain('false    subject.trust < 100; subject.trust was 650\n');
    expect(stdout).toMatch(/\ndecided again from the log: the same\n$/);
  });

  test('tells it as data, with nothing but the log', async () => {
    using at = desk();
    await aDay(at);

    const { status, stdout } = at.run(['policy', 'explain', 'log', indexOf(at, 'policy.denied'), '--json']);

    expect(status).toBe(0);
    expect(objects(stdout)).toMatchObject([
      {
        schema: 'ringmesh.policy-explain/v1',
        verdict: 'deny',
        gate: 'policy',
        request: { subject: { name: 'chief', ring: 1 }, args: { path: 'secrets/key' } },
        basis: { exact: true },
        determining: [{ rule: 'house/no-secrets', because: 'match' }],
        limits: null,
        again: { type: 'same' },
      },
    ]);
  });

  test('says the numbers of a ring that refused', async () => {
    using at = desk();
    await aDay(at);

    const { status, stdout } = at.run(['policy', 'explain', 'log', indexOf(at, 'ring.too_far_out')]);

    expect(status).toBe(0);
    expect(stdout).toContain(
      'decided by the ring gate\n  expected an agent of ring 2 or inner for file.write, found one of ring 3\n',
    );
    expect(stdout).toContain(
      'the agent stood in ring 3 with trust 20; ring 0 from 950, ring 1 from 800, ring 2 from 600',
    );
    expect(stdout).toContain('not decided again: the policy was not asked (ring)');
  });

  test('says the numbers of a rate that refused', async () => {
    using at = desk();
    await aDay(at);

    const { status, stdout } = at.run(['policy', 'explain', 'log', indexOf(at, 'budget.too_many_at_once')]);

    expect(status).toBe(0);
    expect(stdout).toMatch(
      /decided by the budget gate\n {2}ring 2 may ask 20 times in 1000 ms, 40 at once; the log has \d+ allowed in that time before\n/,
    );
    expect(stdout).toContain(
      '  ring 2 may have 8 effects under way at once\n  it was told to ask again after 100 ms\n',
    );
  });

  test('finds a decision by its outcome, and nothing in what is neither', async () => {
    using at = desk();
    await aDay(at);
    const settled = objects(at.run(['log', 'show', 'log', '--type', 'action.settled', '--json']).stdout)[0];

    expect(at.run(['policy', 'explain', 'log', String(settled?.['id'])]).stdout).toMatch(/^allow {2}policy\.allowed/);
    expectError(at.run(['policy', 'explain', 'log', '0']), 2, 'input.not_a_decision');
    expectError(at.run(['policy', 'explain', 'log', '999']), 3, 'event.not_found');
  });

  test('other policies than those that decided are refused', async () => {
    using at = desk();
    await aDay(at);
    put(at, 'other.yaml', HOUSE.replace('10000', '1'));

    const ran = at.run(['policy', 'explain', 'log', indexOf(at, 'policy.denied'), '--bundle', 'other.yaml']);

    expectError(ran, 2, 'policy.other_bundle');
  });
});

describe('policy replay', () => {
  test('makes every decision again, and counts what the policy was not asked', async () => {
    using at = desk();
    await aDay(at);

    const { status, stdout } = at.run(['policy', 'replay', 'log', '--json']);

    expect(status).toBe(0);
    expect(objects(stdout)).toMatchObject([
      { schema: 'ringmesh.policy-replay/v1', differences: 0, notReplayable: {}, notAsked: { ring: 1, budget: 1 } },
    ]);
  });

  test('a decision that its bundle does not give ends with exit 5, with both sides', async () => {
    using at = desk();
    await aDay(at);
    await forge(at);

    for (const args of [
      ['policy', 'replay', 'log'],
      ['policy', 'what-if', 'log', '--bundle', join(PACKS, 'money.yaml')],
    ]) {
      const { status, stderr } = at.run(args);
      expect(status).toBe(5);
      expect(stderr).toMatch(
        /^ringmesh: replay\.diverged: expected deny \(policy\.denied, house\/refunds\) as recorded at index \d+, found allow/,
      );
    }
  });
});

/** A decision that was recorded otherwise than it was made. */
async function forge(at: Desk): Promise<void> {
  await using log = await openDay(at);
  const decided = [...log.read()].find(({ decision }) => decision?.verdict === 'allow');
  if (decided?.decision === undefined || decided.payload.type !== 'json') throw new Error('expected a decision');
  const { stream, type, actor, decision, payload } = decided;
  const id = uuidv7(systemClock, systemRandom) as EventId;
  const refused = { gate: 'policy', outcome: { type: 'denied', code: 'policy.denied', message: 'no' } };
  const value = { ...(payload.value as object), refused };
  const forged = { id, type, actor, decision: { ...decision, verdict: 'deny', code: 'policy.denied' } } as const;
  await log.append([{ stream, expected: 'any', events: [{ ...forged, payload: { type: 'json', value } }] }]);
}

describe('policy what-if', () => {
  test('the same policies change nothing', async () => {
    using at = desk();
    await aDay(at);
    put(at, 'house.yaml', HOUSE);

    const { status, stdout, stderr } = at.run([
      'policy',
      'what-if',
      'log',
      '--bundle',
      'house.yaml',
      '--fail-if-laxer',
    ]);

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/\nnewly denied: 0\nnewly escalated: 0\nnewly allowed: 0\n$/);
  });

  test('tells what would be answered otherwise, by rule and agent', async () => {
    using at = desk();
    await aDay(at);
    put(at, 'other.yaml', HOUSE.replace('10000', '100').replace('secrets/*', 'public/*'));

    const run = (...more: string[]) => at.run(['policy', 'what-if', 'log', '--bundle', 'other.yaml', ...more]);
    const { status, stdout } = run();

    expect(status).toBe(0);
    expect(stdout).toContain('newly escalated: 1\n  1 by house/refund-cap\n  1 of clerk\n');
    expect(stdout).toContain('newly allowed: 1\n  1 by house/files\n  1 of chief\n');
    expect(stdout).toMatch(/ {2}chief {2}file\.write {2}deny -> allow {2}house\/files: allowed\n/);
    expect(objects(run('--json').stdout)).toMatchObject([
      {
        schema: 'ringmesh.policy-what-if/v1',
        newly: { deny: { count: 0 }, escalate: { count: 1 }, allow: { count: 1 } },
        isLaxer: true,
        replay: { notReplayable: {} },
      },
    ]);
    const laxer = run('--fail-if-laxer');
    expect(laxer.status).toBe(1);
    expect(laxer.stderr).toMatch(/^ringmesh: policy\.laxer: /);
  });

  test('takes a signed bundle, and checks who signed it where it is told who may', async () => {
    using at = desk();
    await aDay(at);
    const pair = generateKeyPair(systemRandom);
    writeFileSync(join(at.path, 'signed.bundle'), signBundle(rulesOf(HOUSE), new Map([['ops', pair]])));
    const run = (...more: string[]) => at.run(['policy', 'what-if', 'log', '--bundle', 'signed.bundle', ...more]);

    expect(run('--key', `ops=${formatDidKey(pair.publicKey)}`)).toMatchObject({ status: 0, stderr: '' });
    expect(run()).toMatchObject({ status: 0, stderr: expect.stringContaining('were not checked') });
    const stranger = formatDidKey(generateKeyPair(systemRandom).publicKey);
    expectError(run('--key', `ops=${stranger}`), 5, 'policy.bundle_bad_signature');
    expectError(run('--key', 'ops'), 2, 'usage.invalid');
  });
});

describe('policy serve', () => {
  const body = JSON.stringify({
    subject: { type: 'agent', id: 'ada', properties: { ring: 2, trust: 640 } },
    action: { name: 'refund.issue', properties: { args: { amount: 5 } } },
    resource: { type: 'order', id: 'o-7' },
  });

  test('decides over HTTP until SIGTERM', async () => {
    using at = desk();
    put(at, 'house.yaml', HOUSE);
    const child = at.start(['policy', 'serve', '--bundle', 'house.yaml', '--json']);
    const [told] = objects(await linesFrom(child, 1));

    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${told?.['url']}/access/v1/evaluation`, { method: 'POST', headers, body });

    expect(told).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      bundle: rulesOf(HOUSE).digest,
    });
    expect(await answer.json()).toMatchObject({ decision: true });
    child.kill('SIGTERM');
    expect(await ended(child)).toMatchObject({ signal: 'SIGTERM', stderr: '' });
  });

  test('refuses an address that is not loopback, a bundle that nobody vouches for, and faults', () => {
    using at = desk();
    put(at, 'house.yaml', HOUSE);
    put(at, 'bad.yaml', HOUSE.replace('[read]', '[raed]'));
    const pair = generateKeyPair(systemRandom);
    writeFileSync(join(at.path, 'signed.bundle'), signBundle(rulesOf(HOUSE), new Map([['ops', pair]])));
    const run = (...more: string[]) => at.run(['policy', 'serve', ...more]);

    expectError(run('--bundle', 'house.yaml', '--host', '0.0.0.0'), 2, 'usage.invalid');
    expectError(run('--bundle', 'signed.bundle'), 2, 'usage.invalid');
    expect(run('--bundle', 'bad.yaml')).toMatchObject({ status: 2, stdout: '' });
    expectError(run(), 2, 'usage.invalid');
  });
});
