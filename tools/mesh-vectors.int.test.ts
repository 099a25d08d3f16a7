import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWith } from '../runtime/core/program.fixture.ts';
import { meshVectors } from './make-mesh-vectors.ts';

const verifier = 'docs/spec/verify_iatp.py';
const vectors = 'docs/spec/vectors';

function verify(directory: string): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('python3', [verifier, directory], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, said: stdout + stderr };
}

test('the published vectors are those that this code makes', () => {
  for (const [path, content] of meshVectors()) expect(readFileSync(path, 'utf8')).toBe(content);
});

describeWith('python3', 'the published vectors', () => {
  test('a second implementation, in Python, agrees with every vector', () => {
    expect(verify(vectors)).toEqual({ status: 0, said: expect.stringMatching(/^\d{3} vectors checked, 0 differ\n$/) });
  });

  test.each([
    ['did-mesh.json', /"revoked": null/, '"revoked": "retired"'],
    ['iatp-mesh.json', /"refused": "certificate.other_node"/, '"refused": "certificate.other_agent"'],
    ['iatp-mesh.json', /"content": "eyJ/, '"content": "eyK'],
    ['iatp-mesh.json', /"confirm": "(.{40})./, '"confirm": "$1!'],
  ])('it notices a change in %s', (file, from, to) => {
    const directory = mkdtempSync(join(tmpdir(), 'ringmesh-vectors-'));
    cpSync(vectors, directory, { recursive: true });
    const path = join(directory, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
    expect(verify(directory).status).toBe(1);
    rmSync(directory, { recursive: true, force: true });
  });
});
