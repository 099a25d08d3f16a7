/** The README's two commands and the package, on a machine that has Node and npm, and nothing else of what we use. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GenericContainer, type StartedTestContainer } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingEngine } from './engine.ts';
import { copyOfTree } from './scratch.ts';

const missing = missingEngine();
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
const integrity = `sha512-${'A'.repeat(86)}==`;
const lock = JSON.stringify({
  lockfileVersion: 3,
  packages: Object.fromEntries(
    ['a', 'b', '@s/c'].map((name) => [`node_modules/${name}`, { version: '1.0.0', integrity, license: 'MIT' }]),
  ),
});

describe.skipIf(missing !== undefined)(`a machine with Node and npm alone${because(missing)}`, () => {
  let machine: StartedTestContainer;

  beforeAll(async () => {
    using clone = copyOfTree();
    for (const own of ['node_modules', '.git']) rmSync(join(clone.path, own), { recursive: true });
    machine = await new GenericContainer('node:26-bookworm-slim')
      .withCommand(['sleep', 'infinity'])
      .withCopyDirectoriesToContainer([{ source: clone.path, target: '/home/node/ringmesh' }])
      .withCopyContentToContainer([
        { content: lock, target: '/home/node/project/package-lock.json' },
        { content: '{}', target: '/home/node/project/package.json' },
        { content: `${'registry'}=http://127.0.0.1:4873/\n`, target: '/home/node/project/.npmrc' },
      ])
      .start();
    await machine.exec(['chown', '-R', 'node:node', '/home/node']);
  });
  afterAll(() => machine?.stop());

  async function sh(script: string) {
    const { exitCode, stdout, stderr } = await machine.exec(['bash', '-c', script], {
      user: 'node',
      workingDir: '/home/node/ringmesh',
      env: { HOME: '/home/node', CI: '1' },
    });
    return { exitCode, stdout, stderr: stderr.slice(-4_000) };
  }

  test('has neither a broker, nor Docker, nor git', async () => {
    const { stdout } = await sh('for tool in nats-server docker git python3 strace; do command -v $tool; done; id -un');

    expect(stdout).toBe('node\n');
  });

  test('`npm run up` audits a project, having installed what it needs', async () => {
    const { exitCode, stdout, stderr } = await sh(`
      node compose/registry.fixture.ts ../project/package-lock.json 4873 0 &
      npm run --silent up -- --lock ../project/package-lock.json; code=$?; kill %1; exit $code`);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.any(String) });
    expect(stdout).toContain('packages   3 audited under 3 of 3 names');
    expect(stdout).toContain('verified   yes');
  });

  // The whole of it is run by CI beside this, and takes minutes: here those that look at the tree and start the most.
  test('`npm test` passes, in the rooms tools, swarm and runtime/codec', async () => {
    const { exitCode, stdout } = await sh('NO_COLOR=1 npm test --silent -- tools swarm runtime/codec 2>&1');

    expect({ exitCode, end: stdout.slice(-2_000) }).toEqual({
      exitCode: 0,
      end: expect.stringMatching(/Tests +\d+ passed/),
    });
  });

  test('the packed package, installed in an empty project, runs the README’s agent, and makes projects that run', async () => {
    const blocks = readFileSync('README.md', 'utf8').matchAll(/^```(?:ts|yaml)\n(?:\/\/|#) ([\w.-]+)\n(.*?)^```$/gms);
    const files = [...blocks].map(([, name = '', text = '']) => ({ content: text, target: `/home/node/user/${name}` }));
    expect(files.map(({ target }) => target)).toContain('/home/node/user/swarm.yaml');
    await sh('mkdir ../user && cd ../user && npm init --yes >/dev/null && npm pkg set type=module');
    await machine.copyContentToContainer(files);
    await machine.exec(['chown', '-R', 'node:node', '/home/node/user']);

    const { exitCode, stdout, stderr } = await sh(`
      npm pack --silent --pack-destination /tmp && cd ../user &&
      npm install --silent /tmp/ringmesh-${version}.tgz && npx ringmesh up swarm.yaml &&
      npx ringmesh init shop >/dev/null && cd shop && npm start --silent`);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.any(String) });
    expect(stdout).toMatch(/^answer +greeter\.greet \{"text":"Hello, world\. You are number 1\."\}$/m);
    expect(stdout).toMatch(/^verified +yes: /m);
    expect(stdout).toContain('A1: 250 cents, priced 1 so far\n');
  });
});

function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}
