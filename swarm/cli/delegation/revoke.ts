/**
 * `revoke`: a signed statement, on stdout, or handed to nodes that run: over the broker of a realm as an order of its operator,
 * or through the socket of a node on this machine. Whoever hands it over, it counts by its own signature.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { parseRevocable, readRevocation, writeRevocationOf } from '../../../mesh/revocation/revocation.ts';
import type { Did } from '../../../runtime/codec/did.ts';
import { view } from '../../../runtime/core/bytes.ts';
import { CodedError, hasCode } from '../../../runtime/core/errors.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import { takenBackInWords } from '../../authority/taken-back.ts';
import { revokeThrough } from '../../control/control-client.ts';
import { findRoster, readRoster, sourceOf } from '../../realm/realm-folder.ts';
import { keepRevoked } from '../../realm/taken-back.ts';
import type { PassphraseOptions } from '../keys/passphrase.ts';
import { sayOrder, waitOf } from '../mesh/order.ts';
import { logsOf } from '../ps/logs-of.ts';
import { catchInterrupts, type Shell } from '../shell.ts';
import { readSwarm } from '../up/read-swarm.ts';
import { orThrow } from './chain-file.ts';
import { openSigner } from './signer.ts';

export type RevokeOptions = PassphraseOptions & {
  readonly by: string;
  readonly as: 'operator' | 'sponsor';
  readonly reason: string;
  readonly of?: string;
  readonly server?: string;
  readonly realmFolder?: string;
  readonly node?: string;
  readonly wait: string;
  readonly json?: boolean;
};

type Signer = Awaited<ReturnType<typeof openSigner>>;
type Signed = {
  readonly statement: Uint8Array;
  readonly text: string;
  readonly by: readonly Did[];
  readonly signer: Signer;
};
/** What a node says of it. */
type Heard = { readonly node: string; readonly epoch: number; readonly detail: string };

/** @throws `did.malformed` · `input.malformed`: no content id, or a reason of several lines · `usage.invalid` · `key.*`; handed
 *  over: `revocation.*`, as the node refused it · `order.*` · `control.*` · `realm.*` · `log.not_found` */
export async function revoke(shell: Shell, target: string, options: RevokeOptions): Promise<void> {
  const parsed = parseRevocable(target);
  if (!parsed.ok) throw new CodedError('input.malformed', `expected a content id or a DID, found ${target}`);
  if (!/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,500}$/u.test(options.reason)) {
    throw new CodedError('input.malformed', 'expected a reason of one line, up to 500 characters');
  }
  const way = wayOf(options);
  const signer = await openSigner(shell, options.by, options);
  const { reason } = options;
  const statement = writeRevocationOf({ at: systemClock.now(), reason, target: parsed.value }, signer.pair);
  const { signers } = orThrow(readRevocation(statement)); // what is printed was read as others will
  const text = view(statement).toString('utf8');
  const signed = { statement, text, by: [...signers.keys()], signer };
  const heard = way === undefined ? undefined : await handOver(shell, signed, way, options);
  const told = {
    schema: 'ringmesh.revocation/1',
    ...{ target: parsed.value, by: signed.by, reason, statement: text },
    ...(heard === undefined ? {} : { nodes: heard }),
  };
  const lines = heard?.map(({ node, detail }) => `${node}: ${detail}`) ?? [text];
  await shell.out.write(options.json === true ? `${JSON.stringify(told)}\n` : `${lines.join('\n')}\n`);
}

type Way =
  | { readonly type: 'broker'; readonly server: string; readonly realmFolder: string; readonly waitMs: number }
  | { readonly type: 'socket'; readonly of: string };

function wayOf({ of, server, realmFolder, node, wait }: RevokeOptions): Way | undefined {
  if (server !== undefined && realmFolder !== undefined && of === undefined) {
    return { type: 'broker', server, realmFolder, waitMs: waitOf(wait) };
  }
  if ([server, realmFolder, node].every((one) => one === undefined)) {
    return of === undefined ? undefined : { type: 'socket', of };
  }
  throw new CodedError('usage.invalid', 'expected --server and --realm-folder, or --of, or none of them');
}

/** What the operator takes back is kept beside his keys before anybody hears of it: he then signs it again in no case. */
async function handOver(shell: Shell, signed: Signed, way: Way, options: RevokeOptions): Promise<readonly Heard[]> {
  const folder = way.type === 'broker' ? way.realmFolder : await folderOf(shell, way.of, options.by);
  const operator = folder === undefined ? undefined : findRoster(folder)?.operator;
  const isOperator = operator === signed.signer.did;
  if (folder !== undefined && isOperator) await keepRevoked(folder, signed.statement);
  if (way.type === 'socket') return throughSockets(shell, signed, way.of);
  const signer = isOperator && options.as === 'operator' ? signed.signer : undefined;
  return overBroker(shell, signed, way, { ...options, signer });
}

/** @throws `order.*` · `revocation.*` · `realm.*` */
async function overBroker(
  shell: Shell,
  { text }: Signed,
  { server, realmFolder, waitMs }: Extract<Way, { readonly type: 'broker' }>,
  options: RevokeOptions & { readonly signer: Signer | undefined },
): Promise<readonly Heard[]> {
  const node = options.node ?? sourceOf(readRoster(realmFolder))?.name;
  const order = { action: 'revoke', agent: undefined, body: text, why: options.reason } as const;
  const passphrase = options.passphraseFile === undefined ? {} : { passphraseFile: options.passphraseFile };
  const to = { server, realmFolder, waitMs, signer: options.signer, ...passphrase };
  const report = await sayOrder(shell, order, node === undefined ? to : { ...to, node });
  const { epoch } = JSON.parse(report.answer ?? '{}') as { readonly epoch?: number };
  return [{ node: report.node, epoch: epoch ?? 0, detail: report.detail }];
}

/** Every node there that runs. @throws `control.*` · `revocation.*` */
async function throughSockets(shell: Shell, { statement }: Signed, path: string): Promise<readonly Heard[]> {
  using interrupts = catchInterrupts();
  const heard: Heard[] = [];
  let away: unknown;
  for (const log of await logsOf(shell, path)) {
    try {
      const place = { log, cwd: process.cwd(), clock: systemClock };
      const taken = await revokeThrough(place, statement, interrupts.signal);
      heard.push({ node: log, epoch: taken.epoch, detail: takenBackInWords(taken) });
    } catch (error) {
      if (!hasCode(error, 'control.not_running')) throw error;
      away ??= error;
    }
  }
  if (heard.length === 0 && away !== undefined) throw away;
  return heard;
}

/** Where the keys of the swarm's realm are: as its file says, or around the operator's own. */
async function folderOf(shell: Shell, path: string, by: string): Promise<string | undefined> {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    const { configuration } = await readSwarm(shell, path, {});
    if (findRoster(configuration.keys.value) !== undefined) return configuration.keys.value;
  }
  const around = dirname(resolve(by));
  return findRoster(around) === undefined ? undefined : around;
}
