/** The operator asks agents of a swarm that runs, and looks at them: the real command, through the real socket. */
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { type Desk, ended, expectError, objects } from '../command.fixture.ts';
import { AS_SOURCE, project } from '../up/project.fixture.ts';

const OPERATOR_MAY = `  - id: operator
    on: { verb: ask, tool: 'desk.*', agent: guest/operator }
    effect: allow
`;

/** A project whose swarm goes on until it is stopped, under a policy that lets the operator ask the desk. */
function office(): Desk {
  const at = project((file) => file.replace('until: answered', 'until: stopped'));
  const policy = join(at.path, 'policy.yaml');
  writeFileSync(policy, readFileSync(policy, 'utf8') + OPERATOR_MAY);
  return at;
}

async function running(at: Desk) {
  const child = at.start(['up', 'swarm.yaml'], AS_SOURCE);
  let said = '';
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
    if (/^answer /m.test(said)) resolve();
  });
  child.once('exit', () => reject(new Error(said)));
  await promise;
  return {
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const ask = (at: Desk, ...args: readonly string[]) => at.run(['ask', ...args], AS_SOURCE);
const ps = (at: Desk, ...args: readonly string[]) => at.run(['ps', ...args], AS_SOURCE);

test('the operator is answered; policy decided it, and the log has it (K2)', async () => {
  using at = office();
  await using _ = await running(at);

  const told = ask(at, 'desk', 'open', '{}');

  expect(told).toEqual({ status: 0, signal: null, stdout: '{"said":"ann 30 t0ken"}\n', stderr: '' });
  const accepted = objects(at.run(['log', 'show', '.ringmesh/office', '--type', 'message.accepted', '--json']).stdout);
  expect(accepted.at(-1)).toMatchObject({
    stream: 'agent/desk',
    data: { from: 'guest/operator', name: 'open' },
    decision: { verdict: 'allow', rule: 'office/operator' },
  });
  const outcome = JSON.parse(ask(at, 'desk', 'open', '--json').stdout) as object;
  expect(outcome).toMatchObject({ schema: 'ringmesh.ask/1', agent: 'desk', outcome: { type: 'ok' } });
});

test('attack: what no rule allows the operator is denied, and nothing of it happens (K2)', async () => {
  using at = office();
  await using _ = await running(at);

  const told = ask(at, 'clerk/1', 'visit', '{}');

  expectError(told, 4, 'ask.denied');
  expect(told.stderr).toContain('policy.outside_layer');
  const log = at.run(['log', 'show', '.ringmesh/office', '--json']).stdout;
  const ofOperator = objects(log).filter((event) => JSON.stringify(event).includes('guest/operator'));
  expect(ofOperator).toMatchObject([{ stream: 'sender/guest/operator', type: 'action.decided' }]);
});

test('what cannot be answered is told by code and exit code', async () => {
  using at = office();
  expectError(ask(at, 'desk', 'open'), 3, 'log.not_found');
  const node = await running(at);
  expectError(ask(at, 'desk', 'opne'), 2, 'ask.invalid');
  expectError(ask(at, 'nobody', 'open'), 3, 'agent.not_found');
  expectError(ask(at, 'desk', 'open', '{"a":1,"a":2}'), 2, 'input.malformed');
  expectError(ask(at, 'desk', 'open', '--within', 'soon'), 2, 'usage.invalid');
  expectError(ask(at, 'desk', 'wait', '--within', '200ms'), 8, 'ask.unanswered');
  const [working] = (JSON.parse(ps(at, '--json').stdout) as { nodes: { agents: object[] }[] }).nodes;
  expect(working?.agents[1]).toMatchObject({ agent: 'desk', state: 'working', mailbox: 1 });
  node.child.kill('SIGKILL');
  await once(node.child, 'exit');
  expectError(ask(at, 'desk', 'open', '--of', '.ringmesh/office'), 8, 'control.not_running');
  expect(ps(at).stderr).toMatch(/^\S+: stopped, \d+ events of office\//);
});

test('ps shows who is there, in which ring and how far trusted, and no less when nothing runs', async () => {
  using at = office();
  const node = await running(at);
  const shown = ps(at);
  expect(shown.stdout).toMatch(/^AGENT +CONTRACT +RING +TRUST +MAILBOX +OLDEST +RESTARTS +STATE\n/);
  expect(shown.stdout).toMatch(/^clerk\/1 +clerk +2 +650 +0 +- +0 +idle$/m);
  expect(shown.stderr).toMatch(/^\S+: running, process \d+, \d+ events of office\//);
  node.child.kill('SIGTERM');
  expect(await ended(node.child)).toMatchObject({ signal: 'SIGTERM' });
  const { schema, nodes } = JSON.parse(ps(at, '.ringmesh/office', '--json').stdout) as Record<string, object[]>;
  expect(schema).toBe('ringmesh.ps/1');
  expect(nodes).toMatchObject([
    { state: 'stopped', agents: [{ agent: 'clerk/1', state: 'stopped' }, { agent: 'desk' }] },
  ]);
});

test('the socket is its user’s alone, and takes nothing but a whole ask (K1)', async () => {
  using at = office();
  await using _ = await running(at);
  const folder = join(at.path, '.ringmesh/office/control');
  expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
  const post = async (path: string, body: string): Promise<number | undefined> => {
    const sent = request({ socketPath: join(folder, 'socket'), method: 'POST', path, agent: false });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    await text(response);
    return response.statusCode;
  };
  expect(await post('/stop', '{}')).toBe(404);
  expect(await post('/ask', '{"agent":"desk"}')).toBe(400);
  expect(await post('/ask', '{"agent":"desk","agent":"clerk/1"}')).toBe(400);
  expect(await post('/ask', `"${'x'.repeat(2 * 1024 * 1024)}"`)).toBe(413);
});

test.each([
  ['leads elsewhere', (place: string) => symlinkSync('/tmp', place)],
  ['leads nowhere', (place: string) => symlinkSync('/nowhere/at/all', place)],
  ['is a file', (place: string) => writeFileSync(place, '')],
])('attack: a folder for the socket that %s stops the start (K1)', (_what, spoil) => {
  using at = office();
  at.run(['log', 'init', '.ringmesh/office', '--realm', 'office'], AS_SOURCE);
  rmSync(join(at.path, '.ringmesh/office/control'), { force: true, recursive: true });
  spoil(join(at.path, '.ringmesh/office/control'));

  const { status, stderr } = at.run(['up', 'swarm.yaml'], AS_SOURCE);

  expect(status).toBe(1);
  expect(stderr).toMatch(/ringmesh: control\.not_ours: /);
});
