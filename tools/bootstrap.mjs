/**
 * `node tools/bootstrap.mjs CMD ARGS…` runs CMD with what package-lock.json names, installing it first where it is not
 * there yet. Plain JavaScript for Node 20: this is what runs before the pinned Node exists. stdout belongs to CMD.
 *
 * B1. node_modules is whole or absent: an install is made aside and renamed into place, so one that was killed, or that
 *     ran twice at once, leaves nothing half done.
 * B2. CMD never starts on a Node binary other than the recorded one: npm's lock does not cover it, because the `node`
 *     package's install script fetches it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 20;
const root = resolve(fileURLToPath(import.meta.url), '../..');
const modules = join(root, 'node_modules');
const binaries = join(modules, '.bin');

const recorded = JSON.parse(readFileSync(join(root, 'tools/node-binary.json'), 'utf8'));
const platform = `${process.platform}-${process.arch}`;
const lockHash = sha256(join(root, 'package-lock.json'));

/** Something that this machine lacks. The message is one sentence and names the command that brings it. */
class Missing extends Error {}

try {
  checkPlatform();
  if (!isInstalled(modules)) install();
  checkNode();
  run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  end(error.message, 1);
}

function checkPlatform() {
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    throw new Missing(
      `expected Node ${NODE_MAJOR_MIN} or newer to begin with, found ${process.versions.node}: run \`npm install --global node@${recorded.version}\`.`,
    );
  }
  if (recorded.sha256[platform] === undefined) {
    const known = Object.keys(recorded.sha256).join(', ');
    throw new Missing(
      `expected one of ${known}, found ${platform}: work in a container, \`docker run -it -v "$PWD:/src" -w /src node:26 bash\`.`,
    );
  }
}

/** Whether `directory` is what the present package-lock.json asks for. The marker is written last (B1). */
function isInstalled(directory) {
  const marker = join(directory, '.lock-hash');
  return existsSync(marker) && readFileSync(marker, 'utf8') === lockHash;
}

function install() {
  const cache = join(root, '.cache');
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'install-'));
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc'])
      copyFileSync(join(root, name), join(aside, name));
    npmCi(aside);
    writeFileSync(join(aside, 'node_modules/.lock-hash'), lockHash);
    putInPlace(aside);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function npmCi(directory) {
  process.stderr.write('bootstrap: installing what package-lock.json names\n');
  // npm must not run on the very binary that it replaces, so its Node is looked for outside node_modules.
  const path = searchPath()
    .filter((entry) => resolve(entry) !== binaries)
    .join(delimiter);
  const npm = spawnSync('npm', ['ci'], {
    cwd: directory,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH: path },
  });
  if (npm.error?.code === 'ENOENT')
    throw new Missing('expected npm on the PATH, found none: run `apt-get install npm` (or `brew install node`).');
  if (npm.error !== undefined) throw npm.error;
  if (npm.status !== 0)
    throw new Missing(
      '`npm ci` failed for the reason it gave above: if that is the network, `npm ping` tells when the registry answers again.',
    );
}

/** Whoever comes second finds the first one's tree in place and keeps it (B1). */
function putInPlace(aside) {
  if (isInstalled(modules)) return;
  renameUnless('ENOENT', modules, join(aside, 'replaced'));
  renameUnless('ENOTEMPTY', join(aside, 'node_modules'), modules);
}

function renameUnless(code, from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code !== code) throw error;
  }
}

// B2: here, before every command.
function checkNode() {
  const path = join(modules, 'node/bin/node');
  if (!existsSync(path)) {
    rmSync(join(modules, '.lock-hash'));
    throw new Missing(
      'expected the install script of the `node` package to have run, it has not: run `export npm_config_ignore_scripts=false`, then this again.',
    );
  }
  const expected = recorded.sha256[platform];
  const found = sha256(path);
  if (found !== expected) {
    throw new Missing(
      `expected ${path} to have SHA-256 ${expected}, found ${found}: run \`rm -r node_modules\`, then this again.`,
    );
  }
}

function run([command, ...args]) {
  if (command === undefined)
    throw new Missing('expected a command, found none: run `node tools/bootstrap.mjs CMD ARGS…`.');
  const path = [binaries, ...searchPath()].join(delimiter);
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, PATH: path } });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      const isFromTerminal = signal === 'SIGINT' && process.stdin.isTTY; // then the child has it already
      if (!isFromTerminal) child.kill(signal);
    });
  }
  child.on('error', (error) => end(`expected to start \`${command}\`, found: ${error.message}.`, 127));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function searchPath() {
  return (process.env.PATH ?? '').split(delimiter);
}

function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function end(sentence, code) {
  process.stderr.write(`bootstrap: ${sentence}\n`);
  process.exit(code);
}
