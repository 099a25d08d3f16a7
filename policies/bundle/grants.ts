/**
 * Which layers list what is allowed, for a given subject at a given point. Such a layer must allow, or nothing does: the
 * list of an agent cannot be longer than its tenant's.
 */
import { LAYERS } from '../decision/verdict.ts';
import type { PolicyDocument } from '../document/document.ts';
import type { Context } from '../expression/fields.ts';
import { selectorTest } from './clause.ts';

/** The layers, as bits, that list anything for whoever asks. A list for others (another tenant, say) that may be for this
 *  subject, since that is not known, has to be met and permits nothing: `'surely'` leaves it out. */
export type Grants = (context: Context, how?: 'perhaps' | 'surely') => number;

type Grant = {
  readonly layer: number;
  readonly points: ReadonlySet<string> | undefined;
  readonly perhaps: (c: Context) => boolean;
  readonly surely: (c: Context) => boolean;
};

export function layerBit(layer: PolicyDocument['layer']): number {
  return 1 << LAYERS.indexOf(layer);
}

export function compileGrants(documents: readonly PolicyDocument[]): Grants {
  let everyone = 0;
  const agents = new Map<string, Grant[]>();
  const tenants = new Map<string, Grant[]>();
  const rest: Grant[] = [];
  for (const { layer, scope, rules } of documents) {
    const allows = rules.filter(({ effect }) => effect === 'allow');
    if (allows.length === 0) continue;
    const isAnyPoint = allows.some(({ head }) => head.point === undefined);
    const points = isAnyPoint ? undefined : new Set(allows.flatMap(({ head }) => head.point ?? []));
    const [perhaps, surely] = [selectorTest([scope], true), selectorTest([scope], false)];
    const grant = { layer: layerBit(layer), points, perhaps, surely };
    const isExact = scope.agent?.every((pattern) => !pattern.endsWith('*'));
    if (isAnyPoint && Object.keys(scope).length === 0) everyone |= grant.layer;
    else if (isExact === true) for (const agent of scope.agent ?? []) file(agents, agent, grant);
    else if (scope.tenant !== undefined) for (const tenant of [...scope.tenant, ANY]) file(tenants, tenant, grant);
    else rest.push(grant);
  }
  return (c, how = 'perhaps') => {
    const bits = (grants: readonly Grant[] | undefined): number => {
      let found = 0;
      for (const grant of grants ?? NO_GRANTS) {
        if ((grant.points === undefined || grant.points.has(c.request.point)) && grant[how](c)) found |= grant.layer;
      }
      return found;
    };
    const { name, id, tenant } = c.request.subject;
    let found = everyone | bits(rest);
    if (agents.size > 0) found |= bits(agents.get(name)) | bits(agents.get(id));
    if (tenants.size > 0) found |= bits(tenants.get(tenant ?? ANY));
    return found;
  };
}

const NO_GRANTS: readonly Grant[] = [];

/** Stands for a tenant that is not known. No tenant is called that: names are not empty. */
const ANY = '';

function file(map: Map<string, Grant[]>, key: string, grant: Grant): void {
  const filed = map.get(key);
  if (filed === undefined) map.set(key, [grant]);
  else filed.push(grant);
}
