/**
 * What an enemy may try with delegations, each row refused with its code.
 *
 * Long because one table shows all that was tried.
 */
import { describe, expect, test } from 'vitest';
import { sign } from '../../runtime/codec/ed25519.ts';
import { canonicalJson } from '../../runtime/codec/json.ts';
import { toBase64url, utf8 } from '../../runtime/core/bytes.ts';
import { type Refusal, type Result, unwrap } from '../../runtime/core/result.ts';
import { learn, writeRevocation, writeRotation } from '../identity.ts';
import { anAgent, codeOf, later, NOW } from '../world.fixture.ts';
import { type Grant, type Invocation, verifyChain } from './chain.ts';
import { type Delegation, readDelegation } from './delegation.ts';
import { mint } from './mint.ts';
import { anAct, type Party, PLAIN, Realm } from './realm.fixture.ts';

type Scene = {
  readonly realm: Realm;
  readonly chief: Party;
  readonly clerk: Party;
  readonly rogue: Party;
  /** operator → chief → clerk */
  readonly chain: readonly [Delegation, Delegation];
};

async function aScene(seed = 'attack'): Promise<Scene> {
  const realm = new Realm(seed);
  const [chief, clerk, rogue] = [realm.party(), realm.party(), realm.party()];
  const where = [{ arg: 'to', is: 'in', value: ['ann', 'bob'] }] as const;
  const [first, second] = await realm.chain(
    [chief, clerk],
    [{ where }, { command: '/tool/mail', budget: { calls: 2 } }],
  );
  if (first === undefined || second === undefined) throw new Error('expected two links');
  return { realm, chief, clerk, rogue, chain: [first, second] };
}

function verdict(
  { realm, clerk, chain }: Scene,
  over: { readonly chain?: readonly Delegation[]; readonly act?: Partial<Invocation>; readonly at?: number } = {},
): unknown {
  const act = anAct(clerk, over.act);
  const result: Result<Grant, Refusal> = verifyChain(over.chain ?? chain, act, later(over.at ?? 0), realm.view);
  return codeOf(result);
}

test('what was given is allowed, and the grant says by whose leave', async () => {
  const { realm, clerk, chain } = await aScene();
  expect(verifyChain(chain, anAct(clerk), NOW, realm.view)).toMatchObject({
    ok: true,
    value: {
      root: realm.operator.did,
      holder: clerk.did,
      cids: chain.map(({ cid }) => cid),
      expires: later(900_000),
      depth: 6,
      ceiling: 1000,
      budget: { calls: 2 },
    },
  });
});

type Attack = {
  readonly does: string;
  readonly code: string;
  readonly chain?: (scene: Scene) => Promise<readonly Delegation[]> | readonly Delegation[];
  readonly act?: (scene: Scene) => Partial<Invocation>;
  readonly at?: number;
  readonly before?: (scene: Scene) => void;
};

/** The second link again, by its own issuer, with other claims. */
function changed(over: object) {
  return async ({ realm, chief, chain }: Scene): Promise<readonly Delegation[]> => [
    chain[0],
    await realm.forged({ ...chain[1].claims, ...over }, chief),
  ];
}

const attacks: readonly Attack[] = [
  { does: 'shows no chain at all', code: 'delegation.none', chain: () => [] },
  { does: 'uses another tool than was given', code: 'delegation.other_command', act: () => ({ command: '/tool/pay' }) },
  {
    does: 'uses a command that only begins alike',
    code: 'delegation.other_command',
    act: () => ({ command: '/tool/mailbox' }),
  },
  { does: 'widens the command of its own link', code: 'delegation.other_command', chain: changed({ cmd: '/agent' }) },
  {
    does: 'widens the command past its parent, which still decides',
    code: 'delegation.other_command',
    chain: changed({ cmd: '/quote' }),
    act: () => ({ command: '/quote/price' }),
  },
  {
    does: 'drops the predicates, which its parent still has',
    code: 'delegation.args_denied',
    chain: changed({ pol: [] }),
    act: () => ({ args: { to: 'eve' } }),
  },
  { does: 'takes everything below the root', code: 'delegation.unbounded', chain: changed({ cmd: '/' }) },
  {
    does: 'gives itself a longer life',
    code: 'delegation.expired',
    chain: changed({ exp: NOW / 1000 + 90_000 }),
    at: 900_000,
  },
  {
    does: 'gives itself an earlier one',
    code: 'delegation.not_yet',
    chain: changed({ nbf: 0, exp: 900 }),
    at: -10_000,
  },
  { does: 'acts when it is over', code: 'delegation.expired', at: 900_000 },
  { does: 'acts before it begins', code: 'delegation.not_yet', at: -2_001 },
  {
    does: 'raises its ceiling of trust',
    code: 'delegation.low_ceiling',
    chain: async ({ realm, chief, clerk }) =>
      await realm
        .chain([chief, clerk], [{ ceiling: 300 }])
        .then(async ([first]) =>
          first === undefined
            ? []
            : [
                first,
                await realm.forged(
                  { ...first.claims, iss: chief.did, aud: clerk.did, prf: first.cid, dep: 0, tcl: 900 },
                  chief,
                ),
              ],
        ),
    act: () => ({ trust: 500 }),
  },
  {
    does: 'acts under what was given to another',
    code: 'delegation.wrong_audience',
    act: ({ rogue }) => ({ agent: rogue.did }),
  },
  { does: 'shows the parent without the link', code: 'delegation.wrong_audience', chain: ({ chain }) => [chain[0]] },
  { does: 'shows the link without the parent', code: 'delegation.no_root', chain: ({ chain }) => [chain[1]] },
  { does: 'shows the links in another order', code: 'delegation.no_root', chain: ({ chain }) => [chain[1], chain[0]] },
  {
    does: 'transplants a link under another parent of the same party',
    code: 'delegation.broken_chain',
    chain: async ({ realm, chief, chain }) => [await realm.link(realm.operator, chief), chain[1]],
  },
  {
    does: 'continues what was given to another',
    code: 'delegation.broken_chain',
    chain: async ({ realm, rogue, clerk, chain }) => [
      chain[0],
      await realm.forged({ ...chain[1].claims, iss: rogue.did, aud: clerk.did }, rogue),
    ],
  },
  {
    does: 'names another root than its chain has',
    code: 'delegation.broken_chain',
    chain: changed({ sub: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK' }),
  },
  {
    does: 'begins a chain of its own',
    code: 'delegation.no_root',
    chain: async ({ realm, rogue, clerk }) => [await realm.link(rogue, clerk)],
  },
  {
    does: 'begins a chain of its own in the root’s name',
    code: 'delegation.no_root',
    chain: async ({ realm, rogue, clerk, chain }) => {
      const { prf: _, ...claims } = { ...chain[1].claims, iss: rogue.did, aud: clerk.did };
      return [await realm.forged({ ...claims, sub: realm.operator.did }, rogue)];
    },
  },
  {
    does: 'delegates deeper than it may',
    code: 'delegation.too_deep',
    chain: async ({ realm, chief, clerk }) => {
      const first = await realm.link(realm.operator, chief, [], { depth: 0 });
      return [first, await realm.forged({ ...first.claims, iss: chief.did, aud: clerk.did, prf: first.cid }, chief)];
    },
  },
  {
    does: 'shows more than eight links',
    code: 'delegation.too_deep',
    chain: ({ chain }) => Array.from({ length: 9 }, () => chain[0]),
  },
  {
    does: 'delegates in a circle, back to the issuer',
    code: 'delegation.cyclic',
    chain: async ({ realm, chief, chain }) => [
      chain[0],
      await realm.forged({ ...chain[1].claims, aud: chief.did }, chief),
    ],
    act: ({ chief }) => ({ agent: chief.did }),
  },
  {
    does: 'delegates in a circle, back to the root',
    code: 'delegation.cyclic',
    chain: async ({ realm, chief, chain }) => [
      chain[0],
      await realm.forged({ ...chain[1].claims, aud: realm.operator.did }, chief),
    ],
    act: ({ realm }) => ({ agent: realm.operator.did }),
  },
  { does: 'leaves an argument out', code: 'delegation.missing_field', act: () => ({ args: {} }) },
  { does: 'sends no arguments', code: 'delegation.missing_field', act: () => ({ args: null }) },
  { does: 'sends an argument of another type', code: 'delegation.args_denied', act: () => ({ args: { to: ['ann'] } }) },
  {
    does: 'sends an argument that was not given',
    code: 'delegation.args_denied',
    act: () => ({ args: { to: 'eve' } }),
  },
  {
    does: 'hides the argument in a prototype',
    code: 'delegation.missing_field',
    act: () => ({ args: JSON.parse('{"__proto__":{"to":"ann"}}') }),
  },
  {
    does: 'makes predicates that cost too much',
    code: 'delegation.too_costly',
    chain: changed({ pol: Array.from({ length: 20 }, () => ({ arg: 'many.*', is: 'eq', value: 1 })) }),
    act: () => ({ args: { to: 'ann', many: Array.from({ length: 501 }, () => 1) } }),
  },
  { does: 'asks for more than is left', code: 'delegation.overdrawn', act: () => ({ cost: { calls: 3 } }) },
  {
    does: 'uses another session than it was bound to',
    code: 'delegation.other_context',
    chain: changed({ ctx: 'audit-7' }),
    act: () => ({ context: 'audit-8' }),
  },
  { does: 'uses no session where one was bound', code: 'delegation.other_context', chain: changed({ ctx: 'audit-7' }) },
  {
    does: 'acts after its link was revoked',
    code: 'delegation.revoked',
    before: ({ realm, chief, chain }) => realm.revoke(chain[1].cid, chief),
  },
  {
    does: 'acts after the link above was revoked',
    code: 'delegation.revoked',
    before: ({ realm, chain }) => realm.revoke(chain[0].cid, realm.operator),
  },
  {
    does: 'acts after its own identity was revoked by who gave',
    code: 'delegation.revoked',
    before: ({ realm, clerk, chief }) => realm.revoke(clerk.did, chief),
  },
  {
    does: 'acts after the identity above was revoked by an operator',
    code: 'delegation.revoked',
    before: ({ realm, chief }) => realm.revoke(chief.did, realm.operator),
  },
  {
    does: 'does what is hard to undo while nobody has heard of revocations',
    code: 'revocation.stale',
    act: () => ({ risk: 2 }),
    at: 30_000,
  },
  {
    does: 'does what is hard to undo after the clock was set back',
    code: 'revocation.stale',
    act: () => ({ risk: 3 }),
    at: 10_000,
    before: ({ realm }) => {
      realm.heardAt = later(60_000);
    },
  },
];

describe('an enemy', () => {
  test.each(attacks)('$does: $code', async ({ code, chain, act, at = 0, before }) => {
    const scene = await aScene();
    before?.(scene);
    const shown = (await chain?.(scene)) ?? scene.chain;
    expect(verdict(scene, { chain: shown, act: act?.(scene) ?? {}, at })).toBe(code);
  });

  test('cannot revoke what he has no part in', async () => {
    const scene = await aScene();
    for (const target of [scene.chain[0].cid, scene.chain[1].cid, scene.clerk.did])
      scene.realm.revoke(target, scene.rogue);
    expect(verdict(scene)).toMatchObject({ admitted: { holder: scene.clerk.did } });
  });

  test('below cannot revoke what was given above him', async () => {
    const scene = await aScene();
    scene.realm.revoke(scene.chain[0].cid, scene.clerk);
    expect(verdict(scene)).toMatchObject({ admitted: { holder: scene.clerk.did } });
  });
});

describe('R6: the edges of time', () => {
  test.each([
    [-2_000, true],
    [-2_001, false],
    [0, true],
    [899_999, true],
    [900_000, false],
  ])('at %d ms it is allowed: %j', async (at, isAllowed) => {
    const scene = await aScene();
    expect(typeof verdict(scene, { at }) !== 'string').toBe(isAllowed);
  });
});

describe('R10: the age of the view', () => {
  test.each([
    [0, 29_999, true],
    [1, 300_000, true],
    [2, 29_999, true],
    [2, 30_000, false],
    [4, 30_000, false],
  ] as const)('an act of risk %d with a view of %d ms is allowed: %j', async (risk, at, isAllowed) => {
    const scene = await aScene();
    expect(typeof verdict(scene, { at, act: { risk } }) !== 'string').toBe(isAllowed);
  });
});

describe('R1: an issuer with a history', () => {
  async function ofAgent() {
    const realm = new Realm('history');
    const [agent, clerk] = [anAgent('chief', realm.random), realm.party()];
    for (const told of agent.identity.history) realm.directory.learn(told, NOW);
    const chief: Party = { did: agent.did, pair: agent.key };
    const chain = await realm.chain([chief, clerk]);
    return { realm, agent, clerk, chain };
  }

  test('delegates like any other', async () => {
    const { realm, clerk, chain } = await ofAgent();
    expect(verifyChain(chain, anAct(clerk), NOW, realm.view).ok).toBe(true);
  });

  test('is never skipped where its history is unknown', async () => {
    const { realm, clerk, chain } = await ofAgent();
    const view = { ...realm.view, subject: () => undefined };
    expect(codeOf(verifyChain(chain, anAct(clerk), NOW, view))).toBe('delegation.unknown_issuer');
    expect(codeOf(await readDelegation(chain[1]?.token ?? '', () => undefined))).toBe('jwt.unknown_issuer');
  });

  test('has rotated its key: what the old one signed is worthless, cached or not', async () => {
    const { realm, agent, clerk, chain } = await ofAgent();
    await realm.learn(chain);
    const cids = chain.map(({ cid }) => cid);
    expect(realm.delegations.verify(cids, anAct(clerk), NOW, realm.view).ok).toBe(true);
    const rotation = writeRotation(agent.identity, {
      from: agent.key,
      to: agent.next,
      next: realm.party().pair.publicKey,
      at: NOW,
    });
    realm.directory.learn(rotation, NOW);
    expect(codeOf(verifyChain(chain, anAct(clerk), NOW, realm.view))).toBe('delegation.wrong_key');
    expect(codeOf(realm.delegations.verify(cids, anAct(clerk), NOW, realm.view))).toBe('delegation.wrong_key');
  });

  test('has ended: so has what it gave', async () => {
    const { realm, agent, clerk, chain } = await ofAgent();
    const end = writeRevocation(agent.did, { by: agent.sponsor, reason: 'left', at: NOW });
    expect(learn(agent.identity, end).ok).toBe(true);
    realm.directory.learn(end, NOW);
    expect(codeOf(verifyChain(chain, anAct(clerk), NOW, realm.view))).toBe('delegation.wrong_key');
  });

  test('or whoever holds the last link has ended: it may do nothing more', async () => {
    const realm = new Realm('holder');
    const agent = anAgent('clerk', realm.random);
    for (const told of agent.identity.history) realm.directory.learn(told, NOW);
    const clerk: Party = { did: agent.did, pair: agent.key };
    const chain = await realm.chain([clerk]);
    expect(verifyChain(chain, anAct(clerk), NOW, realm.view).ok).toBe(true);
    realm.directory.learn(writeRevocation(agent.did, { by: agent.sponsor, reason: 'left', at: NOW }), NOW);
    expect(codeOf(verifyChain(chain, anAct(clerk), NOW, realm.view))).toBe('delegation.revoked');
  });

  test('may be revoked by its sponsor', async () => {
    const { realm, agent, clerk, chain } = await ofAgent();
    realm.revoke(agent.did, { did: agent.identity.sponsor ?? agent.did, pair: agent.sponsor });
    expect(codeOf(verifyChain(chain, anAct(clerk), NOW, realm.view))).toBe('delegation.revoked');
  });
});

describe('a token', () => {
  const HEADER = '{"alg":"EdDSA","typ":"iatp-dlg+jwt"}';

  /** Any header and payload, properly signed. */
  function raw(header: string, payload: string, { pair }: Party): string {
    const signed = `${toBase64url(utf8(header))}.${toBase64url(utf8(payload))}`;
    return `${signed}.${toBase64url(sign(pair, utf8(signed)))}`;
  }

  const written = (claims: object): string => unwrap(canonicalJson(claims), 'claims are data');
  const payloadOf = ({ chain }: Scene): string => written(chain[1].claims);
  const readAs = async (scene: Scene, header: string, payload: string, by = scene.chief): Promise<unknown> =>
    codeOf(await readDelegation(raw(header, payload, by), (did) => scene.realm.subject(did)));

  test('is read as it was written', async () => {
    const scene = await aScene();
    expect(await readAs(scene, HEADER, payloadOf(scene))).toMatchObject({
      admitted: {},
    });
  });

  test.each([
    '{"alg":"none","typ":"iatp-dlg+jwt"}',
    '{"alg":"HS256","typ":"iatp-dlg+jwt"}',
    '{"alg":"ES256K","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","kid":"../../etc/passwd","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","kid":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","jwk":{"kty":"OKP"},"typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","jku":"https://evil.example/keys","typ":"iatp-dlg+jwt"}',
    '{"alg":"EdDSA","typ":"JWT"}',
  ])('with the header %s is refused', async (header) => {
    const scene = await aScene();
    expect(await readAs(scene, header, payloadOf(scene))).toBe('jwt.wrong_header');
  });

  test('without a signature is refused', async () => {
    const scene = await aScene();
    const token = `${scene.chain[1].token.split('.').slice(0, 2).join('.')}.`;
    expect(codeOf(await readDelegation(token, (did) => scene.realm.subject(did)))).toBe('jwt.bad_signature');
  });

  test('that another signed is refused', async () => {
    const scene = await aScene();
    expect(await readAs(scene, HEADER, payloadOf(scene), scene.rogue)).toBe('jwt.bad_signature');
  });

  test.each(['aud', 'bud', 'cmd', 'dep', 'exp', 'iss', 'nbf', 'nnc', 'pol', 'sub', 'tcl'])(
    'without %s is refused, never read as "anything"',
    async (member) => {
      const scene = await aScene();
      const { [member]: _, ...rest } = { ...scene.chain[1].claims } as Record<string, unknown>;
      expect(await readAs(scene, HEADER, written(rest))).toBe('jwt.malformed');
    },
  );

  test.each([
    ['a name twice', (payload: string) => payload.replace('"cmd":"/tool/mail"', '"cmd":"/tool/mail","cmd":"/"')],
    ['an unknown member', (payload: string) => payload.replace('"tcl":', '"scope":"all","tcl":')],
    ['a depth of 8', (payload: string) => payload.replace('"dep":6', '"dep":8')],
    ['a negative budget', (payload: string) => payload.replace('"calls":2', '"calls":-1')],
    ['a budget with a fraction', (payload: string) => payload.replace('"calls":2', '"calls":2.5')],
    [
      'a regular expression',
      (payload: string) => payload.replace('"pol":[]', '"pol":[{"arg":"to","is":"matches","value":".*"}]'),
    ],
    ['a negation', (payload: string) => payload.replace('"pol":[]', '"pol":[{"arg":"to","is":"not","value":"eve"}]')],
    ['no end', (payload: string) => payload.replace(/"exp":\d+/, '"exp":null')],
    ['no root', (payload: string) => payload.replace(/"sub":"[^"]+"/, '"sub":null')],
  ])('with %s is refused', async (_what, change) => {
    const scene = await aScene();
    const [before, after] = [payloadOf(scene), change(payloadOf(scene))];
    expect(after).not.toBe(before);
    expect(await readAs(scene, HEADER, after)).toBe('jwt.malformed');
  });

  test('for more than a year is refused', async () => {
    const scene = await aScene();
    const claims = { ...scene.chain[1].claims, exp: scene.chain[1].claims.nbf + 366 * 86_400 + 1 };
    expect(await readAs(scene, HEADER, written(claims))).toBe('delegation.too_long');
  });
});

describe('minting refuses', () => {
  const where = [
    { arg: 'cents', is: 'max', value: 500 },
    { arg: 'to', is: 'in', value: ['ann', 'bob'] },
    { arg: 'path', is: 'prefix', value: '/data' },
  ] as const;

  test.each([
    ['another command', { command: '/quote' }, 'delegation.wider'],
    ['everything', { command: '/' }, 'delegation.wider'],
    ['a later end', { expires: later(900_001 + 999) }, 'delegation.wider'],
    ['an earlier beginning', { notBefore: later(-1_000) }, 'delegation.wider'],
    ['as many further links', { depth: 3 }, 'delegation.wider'],
    ['a higher ceiling', { ceiling: 501 }, 'delegation.wider'],
    ['a larger budget', { budget: { calls: 11 } }, 'delegation.wider'],
    ['another context', { context: 'b' }, 'delegation.wider'],
    ['a larger maximum', { where: [{ arg: 'cents', is: 'max', value: 501 }] }, 'delegation.wider'],
    ['more values', { where: [{ arg: 'to', is: 'in', value: ['ann', 'eve'] }] }, 'delegation.wider'],
    ['another value', { where: [{ arg: 'to', is: 'eq', value: 'eve' }] }, 'delegation.wider'],
    ['a path beside', { where: [{ arg: 'path', is: 'prefix', value: '/database' }] }, 'delegation.wider'],
    ['no time at all', { expires: NOW }, 'delegation.bad_terms'],
  ] as const)('%s', async (_what, over, code) => {
    const { realm, chief, clerk } = await aScene();
    const parent = [
      await realm.link(realm.operator, chief, [], {
        depth: 3,
        ceiling: 500,
        budget: { calls: 10 },
        context: 'a',
        where,
      }),
    ];
    const terms = { ...PLAIN, depth: 0, issuer: chief.did, audience: clerk.did, ...over };
    expect(codeOf(await mint(terms, parent, { pair: chief.pair, random: realm.random }))).toBe(code);
  });

  test('in another’s name, and in a circle', async () => {
    const { realm, rogue, chief, chain } = await aScene();
    const signing = { pair: rogue.pair, random: realm.random };
    const terms = { ...PLAIN, depth: 0, issuer: rogue.did, audience: chief.did };
    expect(codeOf(await mint(terms, [chain[0]], signing))).toBe('delegation.bad_terms');
    expect(codeOf(await mint({ ...terms, issuer: chief.did, audience: chief.did }, [chain[0]], signing))).toBe(
      'delegation.bad_terms',
    );
  });
});
