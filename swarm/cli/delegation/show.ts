/** `delegation show`: a chain in words. Who gave what to whom, and what is left of it. */
import { type Amount, lacking, UNITS } from '../../../mesh/delegation/amount.ts';
import { type Authority, composeChain } from '../../../mesh/delegation/chain.ts';
import type { Delegation } from '../../../mesh/delegation/delegation.ts';
import { Ledger } from '../../../mesh/delegation/ledger.ts';
import { describePredicate } from '../../../mesh/delegation/predicate.ts';
import type { Subject } from '../../../mesh/hosting.ts';
import { Revocations } from '../../../mesh/revocation/revocations.ts';
import type { Did } from '../../../runtime/codec/did.ts';
import type { Millis } from '../../../runtime/core/brand.ts';
import { utf8 } from '../../../runtime/core/bytes.ts';
import type { Refusal } from '../../../runtime/core/result.ts';
import { systemClock } from '../../../runtime/core/system.ts';
import { openReader } from '../../../runtime/log/log-directory.ts';
import type { Fact } from '../facts.ts';
import { readInput } from '../read-input.ts';
import { oneLine } from '../report.ts';
import type { Shell } from '../shell.ts';
import { didNamed, orThrow, readChain, resolverOf, UnsoundChain } from './chain-file.ts';

export type ShowOptions = {
  readonly known: readonly string[];
  readonly root: readonly string[];
  readonly revocations?: string;
  readonly log?: string;
  readonly json?: boolean;
};

/** @throws with exit 5, after saying what it says: the code of the rule that it breaks */
export async function showDelegation(shell: Shell, file: string, options: ShowOptions): Promise<void> {
  const resolve = resolverOf(options.known);
  const chain = await readChain(shell, file, resolve);
  const roots = new Set(options.root.map(didNamed));
  const authority = await authorityOf(shell, resolve, roots, options.revocations);
  const ledger = new Ledger();
  if (options.log !== undefined) await spentIn(options.log, ledger);
  const at = systemClock.now();
  const fault = faultIn(chain, authority, at);
  const links = chain.map((link) => linkOf(link, ledger.spent(link.cid)));
  const isJson = options.json === true;
  await shell.out.write(
    isJson ? jsonOf(links, fault) : textOf(links, chain, { at, fault, isCounted: options.log !== undefined }),
  );
  if (fault !== undefined) throw new UnsoundChain(fault);
}

async function authorityOf(
  shell: Shell,
  subject: (did: Did) => Subject | undefined,
  roots: ReadonlySet<Did>,
  path: string | undefined,
): Promise<Authority> {
  const revocations = new Revocations(() => true);
  if (path !== undefined) {
    const lines = Buffer.from(await readInput(shell, path))
      .toString('utf8')
      .split('\n');
    for (const line of lines) if (line !== '') orThrow(revocations.learn(utf8(line)));
  }
  return {
    subject,
    isRoot: (did) => roots.size === 0 || roots.has(did),
    isOperator: (did) => roots.has(did),
    revokersOf: (target) => revocations.revokersOf(target),
  };
}

async function spentIn(directory: string, ledger: Ledger): Promise<void> {
  await using log = await openReader(directory, systemClock);
  for (const past of log.read()) ledger.relive(past, log);
}

/** What can be said of a chain without an act. */
function faultIn(chain: readonly Delegation[], authority: Authority, at: Millis): Refusal | undefined {
  const composed = composeChain(chain, authority);
  if (!composed.ok) return composed.error;
  const { root, expires } = composed.value;
  if (!authority.isRoot(root, '/')) return { code: 'delegation.no_root', message: `expected a root, found ${root}` };
  if (expires <= at) return { code: 'delegation.expired', message: `it ended at ${when(expires)}` };
  return undefined;
}

type Link = { readonly [name: string]: Fact } & {
  readonly from: string;
  readonly to: string;
  readonly command: string;
  readonly where: readonly string[];
  readonly until: string;
  readonly depth: number;
  readonly ceiling: number;
  readonly left: readonly string[];
  readonly delegation: string;
};

function linkOf({ claims, cid }: Delegation, spent: Amount): Link {
  return {
    delegation: cid,
    from: claims.iss,
    to: claims.aud,
    command: claims.cmd,
    where: claims.pol.map(describePredicate),
    since: when(claims.nbf * 1000),
    until: when(claims.exp * 1000),
    depth: claims.dep,
    ceiling: claims.tcl,
    context: claims.ctx ?? null,
    budget: { ...claims.bud },
    spent: { ...spent },
    left: leftOf(claims.bud, spent),
  };
}

function leftOf(bound: Amount, spent: Amount): readonly string[] {
  return UNITS.flatMap((unit) => {
    const most = bound[unit];
    return most === undefined ? [] : [`${Math.max(0, most - (spent[unit] ?? 0))} of ${most} ${unit}`];
  });
}

function jsonOf(links: readonly Link[], fault: Refusal | undefined): string {
  const told = { schema: 'ringmesh.delegation/1', holds: fault === undefined, code: fault?.code ?? null, chain: links };
  return `${JSON.stringify(told)}\n`;
}

function textOf(
  links: readonly Link[],
  chain: readonly Delegation[],
  { at, fault, isCounted }: { readonly at: Millis; readonly fault: Refusal | undefined; readonly isCounted: boolean },
): string {
  const lines = links.flatMap((link, n) => [
    `${n + 1}. ${link.from}`,
    `   gave ${link.to}`,
    `   ${link.command === '/' ? 'EVERY command' : `the command ${link.command}, and those below it`}`,
    ...link.where.map((one) => `   where ${one}`),
    `   until ${link.until}; ${link.depth === 0 ? 'no further link' : `up to ${link.depth} further links`}; trust counts up to ${link.ceiling}`,
    ...(link['context'] === null ? [] : [`   only within ${String(link['context'])}`]),
    ...(link.left.length === 0 ? [] : [`   left: ${link.left.join(', ')}${isCounted ? '' : ' (no log was named)'}`]),
    `   ${link.delegation}`,
  ]);
  const expires = Math.min(...chain.map(({ claims }) => claims.exp)) * 1000;
  const empty = chain.find(({ claims }, n) => lacking(claims.bud, spentOf(links[n]), { calls: 1 }) !== undefined);
  const verdict =
    fault !== undefined
      ? `It does not hold: ${fault.message} (${fault.code}).`
      : empty !== undefined
        ? 'It holds, and nothing is left of it.'
        : `It holds for ${Math.floor((expires - at) / 1000)} s more.`;
  return `${[...lines, verdict].map(oneLineKeepingIndent).join('\n')}\n`;
}

function spentOf(link: Link | undefined): Amount {
  return (link?.['spent'] ?? {}) as Amount;
}

/** Predicates hold what somebody else wrote. */
function oneLineKeepingIndent(text: string): string {
  const [indent = ''] = /^ */.exec(text) ?? [];
  return indent + oneLine(text.slice(indent.length));
}

function when(ms: number): string {
  return Number.isSafeInteger(ms) && ms <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
