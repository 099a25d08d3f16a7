/**
 * `npm run bench -- delegation [--json]`: what a chain of 1, 3 and 8 links costs per message, beside one bare Ed25519
 * verification, in one run on one machine.
 *
 * *cold*: every token is read (strictly, its signature checked by the house and by did-jwt) and the chain verified: once per
 * chain and node. *known*: tokens are known, the chain is put together anew, as after each revocation. *cached*: as nearly
 * every message finds it; predicates, budgets, times and keys are asked all the same.
 */
import { pathToFileURL } from 'node:url';
import { realmAuthority } from '../mesh/delegation/authority.ts';
import { type DelegationView, type Invocation, verifyChain } from '../mesh/delegation/chain.ts';
import { type Delegation, readDelegation } from '../mesh/delegation/delegation.ts';
import { Delegations } from '../mesh/delegation/delegations.ts';
import { Ledger } from '../mesh/delegation/ledger.ts';
import { mint } from '../mesh/delegation/mint.ts';
import { Directory } from '../mesh/directory.ts';
import { writeInception } from '../mesh/identity.ts';
import { Revocations } from '../mesh/revocation/revocations.ts';
import type { Did } from '../runtime/codec/did.ts';
import { formatDidKey } from '../runtime/codec/did-key.ts';
import { generateKeyPair, type KeyPair, sign, verify } from '../runtime/codec/ed25519.ts';
import type { Millis } from '../runtime/core/brand.ts';
import { utf8 } from '../runtime/core/bytes.ts';
import type { Random } from '../runtime/core/random.ts';
import { unwrap } from '../runtime/core/result.ts';
import { seededRandom } from '../runtime/core/simulation.ts';
import { during, sideBySide } from './rounds.ts';

const LENGTHS = [1, 3, 8] as const;
const ROUNDS = 5;
const TURN_MS = 150;
const NOW = 1_700_000_000_000 as Millis;

type Party = { readonly did: Did; readonly pair: KeyPair };

/** A chain between agents with histories, each link with a predicate and a budget. */
async function aChain(length: number, random: Random) {
  const directory = new Directory();
  const operator: Party = keyed(random);
  const revocations = new Revocations(() => true);
  const operators = new Set([operator.did]);
  const authority = realmAuthority({ subject: (did) => directory.subject(did), operators, revocations });
  const delegations = new Delegations(authority);
  const chain: Delegation[] = [];
  let from = operator;
  for (let n = 0; n < length; n++) {
    const to = anAgent(`agent-${n}`, directory, random);
    const terms = {
      issuer: from.did,
      audience: to.did,
      command: '/tool/mail',
      where: [{ arg: 'to', is: 'in', value: ['ann', 'bob', `guest-${n}`] }] as const,
      notBefore: NOW,
      expires: (NOW + 900_000) as Millis,
      depth: length - 1 - n,
      budget: { calls: 1_000_000_000 },
    };
    const token = unwrap(
      await mint({ ...terms, where: n === 0 ? terms.where : [] }, chain, { pair: from.pair, random }),
      'terms',
    );
    chain.push(unwrap(await readDelegation(token, authority.subject), 'a token'));
    unwrap(await delegations.learn(token, NOW), 'a link');
    from = to;
  }
  const ledger = new Ledger();
  const view: DelegationView = { ...authority, heardAt: NOW, spent: (cid) => ledger.spent(cid) };
  const act: Invocation = {
    agent: from.did,
    command: '/tool/mail/send',
    args: { to: 'ann' },
    risk: 2,
    cost: { calls: 1 },
  };
  return { authority, delegations, chain, view, act, cids: chain.map(({ cid }) => cid) };
}

function keyed(random: Random): Party {
  const pair = generateKeyPair(random);
  return { did: formatDidKey(pair.publicKey), pair };
}

function anAgent(name: string, directory: Directory, random: Random): Party {
  const [pair, next, sponsor] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
  const inception = writeInception({ name, key: pair, next: next.publicKey, sponsor, at: NOW });
  return { did: unwrap(directory.learn(inception, NOW), 'an inception').about, pair };
}

async function variantsOf(length: number, random: Random) {
  const { authority, delegations, chain, view, act, cids } = await aChain(length, random);
  return {
    [`${length} cold`]: () =>
      during(TURN_MS, 1, async () => {
        const read: Delegation[] = [];
        for (const { token } of chain) read.push(unwrap(await readDelegation(token, authority.subject), 'a token'));
        unwrap(verifyChain(read, act, NOW, view), 'a chain');
      }),
    [`${length} known`]: () =>
      during(TURN_MS, 100, () => repeat(() => unwrap(verifyChain(chain, act, NOW, view), 'a chain'))),
    [`${length} cached`]: () =>
      during(TURN_MS, 100, () => repeat(() => unwrap(delegations.verify(cids, act, NOW, view), 'a chain'))),
  };
}

/** Turns of a hundred, so that the clock is not what is measured. */
function repeat(step: () => unknown): void {
  for (let n = 0; n < 100; n++) step();
}

export async function benchDelegation(options: { readonly json?: boolean } = {}): Promise<void> {
  const random = seededRandom('bench');
  const pair = generateKeyPair(random);
  const message = utf8('x'.repeat(400));
  const signature = sign(pair, message);
  const bare = () => during(TURN_MS, 1, () => verify(pair.publicKey, message, signature));
  let variants: Parameters<typeof sideBySide>[0] = { 'bare verify': bare };
  for (const length of LENGTHS) variants = { ...variants, ...(await variantsOf(length, random)) };
  const measured = await sideBySide(variants, ROUNDS);
  const rows = measured.map(({ name, perSecond, ratio }) => {
    const [links = '', kind = ''] = name.split(' ');
    const isBare = name === 'bare verify';
    return {
      links: isBare ? 0 : Number(links),
      kind: isBare ? 'bare' : kind,
      us: 1e6 / perSecond,
      verifications: 1 / ratio,
    };
  });
  if (options.json === true) {
    console.log(JSON.stringify({ bench: 'delegation', rows }));
    return;
  }
  console.log('links  kind          us  bare verifications');
  for (const { links, kind, us, verifications } of rows) {
    console.log(
      `${String(links).padStart(5)}  ${kind.padEnd(7)} ${us.toFixed(2).padStart(8)}  ${verifications.toFixed(3).padStart(8)}`,
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await benchDelegation({ json: process.argv.includes('--json') });
}
