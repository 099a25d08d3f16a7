/** `delegate`: a chain one link longer, on stdout. */
import { UNITS } from '../../../mesh/delegation/amount.ts';
import { isCommandPrefix } from '../../../mesh/delegation/command.ts';
import { readDelegation } from '../../../mesh/delegation/delegation.ts';
import { LIFETIME_MS, mint } from '../../../mesh/delegation/mint.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { systemClock, systemRandom } from '../../../runtime/core/system.ts';
import type { PassphraseOptions } from '../keys/passphrase.ts';
import type { Shell } from '../shell.ts';
import { didNamed, orThrow, readChain, resolverOf } from './chain-file.ts';
import { openSigner } from './signer.ts';
import { parseWhere } from './where.ts';

export type DelegateOptions = PassphraseOptions & {
  readonly from: string;
  readonly to: string;
  readonly command: string;
  readonly where: readonly string[];
  readonly parent?: string;
  readonly known: readonly string[];
  readonly for?: string;
  readonly depth: number;
  readonly ceiling?: number;
  readonly calls?: number;
  readonly cents?: number;
  readonly ms?: number;
  readonly tokens?: number;
  readonly context?: string;
  readonly json?: boolean;
};

/** @throws `delegation.wider` · `delegation.bad_terms` · `input.malformed` · `key.*` · `jwt.*`: a parent that does not hold */
export async function delegate(shell: Shell, options: DelegateOptions): Promise<void> {
  if (!isCommandPrefix(options.command)) {
    throw new CodedError('input.malformed', `expected a command such as /tool/mail, found ${options.command}`);
  }
  const resolve = resolverOf([...options.known, options.from]);
  const parent = options.parent === undefined ? [] : await readChain(shell, options.parent, resolve);
  const { did, pair } = await openSigner(shell, options.from, options);
  const now = systemClock.now();
  const { ceiling, context } = options;
  const inherited = parent.at(-1)?.claims;
  const notBefore = Math.max(now, (inherited?.nbf ?? 0) * 1000) as Millis;
  const terms = {
    issuer: did,
    audience: didNamed(options.to),
    command: options.command,
    where: options.where.map(parseWhere),
    notBefore,
    expires: expiryOf(options.for, notBefore, inherited?.exp),
    depth: options.depth,
    budget: Object.fromEntries(UNITS.flatMap((unit) => (options[unit] === undefined ? [] : [[unit, options[unit]]]))),
    ...(ceiling === undefined ? {} : { ceiling }),
    ...(context === undefined ? {} : { context }),
  };
  if (!isWithin(ceiling)) throw new CodedError('input.malformed', `expected a ceiling of 0 to 1000, found ${ceiling}`);
  const token = orThrow(await mint(terms, parent, { pair, random: systemRandom }));
  const { cid, claims } = orThrow(await readDelegation(token, resolve)); // what is printed was read as others will
  const tokens = [...parent.map((link) => link.token), token];
  const { iss, aud, exp } = claims;
  const told = { schema: 'ringmesh.delegation/1', delegation: cid, from: iss, to: aud, expires: exp * 1000, tokens };
  await shell.out.write(options.json === true ? `${JSON.stringify(told)}\n` : `${tokens.join('\n')}\n`);
}

function isWithin(ceiling: number | undefined): boolean {
  return ceiling === undefined || ceiling <= 1000;
}

/** Who names a span gets it or a refusal; who names none, at most what is left. */
function expiryOf(span: string | undefined, from: Millis, parentEnds = Number.POSITIVE_INFINITY): Millis {
  const expires = span === undefined ? Math.min(from + LIFETIME_MS, parentEnds * 1000) : from + spanOf(span);
  return expires as Millis;
}

/** @throws `input.malformed` */
function spanOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})(s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  if (count !== '' && Number.isSafeInteger(ms)) return ms;
  throw new CodedError('input.malformed', `expected a span such as 15m or 8h, found ${text}`);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
