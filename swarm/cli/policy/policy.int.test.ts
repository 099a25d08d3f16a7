import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Desk, desk, objects } from '../command.fixture.ts';

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
