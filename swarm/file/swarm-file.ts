/**
 * A swarm file: YAML, read strictly. What is doubtful is refused here, with its place, before anything is made; what can only
 * be known from the modules it names is checked when they are loaded (`up/load.ts`).
 */
import { dirname, resolve } from 'node:path';
import { conform } from '../../policies/document/conform.ts';
import type { PolicyFault } from '../../policies/document/fault.ts';
import { type Path, parseYaml, type Source } from '../../policies/document/yaml-source.ts';
import { nearest } from '../../policies/expression/nearest.ts';
import { GUESTS, isAgentName } from '../../runtime/actor/ref.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { RING_LINES, type Ring } from '../../runtime/kernel/ring.ts';
import { namesOf } from './agent-names.ts';
import { faultsOfDelegations } from './delegations.ts';
import { faultsOfReplicas } from './roles.ts';
import { type SwarmInput, SwarmShape } from './shape.ts';

export type SwarmFile = SwarmInput & {
  /** As it was named. */
  readonly file: string;
  /** Absolute: what its paths start from. */
  readonly folder: string;
  /** The operators, declared or not. */
  readonly quorum: { readonly quorum: number; readonly members: readonly string[] };
  /** The line of a part of it, from 1. */
  readonly lineOf: (path: Path) => number | undefined;
};

/** Reads a swarm file; every fault is told, up to twenty. `cwd` is where a relative `file` starts from. */
export function parseSwarm(
  text: string,
  { file, cwd }: { readonly file: string; readonly cwd: string },
): Result<SwarmFile, readonly PolicyFault[]> {
  const source = parseYaml(text, file);
  if (!source.ok) return source;
  const shaped = conform(SwarmShape, source.value.value, source.value, []);
  if (!shaped.ok) return err(inPlainWords(shaped.error));
  const input = shaped.value;
  const faults = [faultsOfAgents, faultsOfParts, faultsOfReplicas, faultsOfDelegations].flatMap((find) =>
    find(input, source.value),
  );
  if (faults.length > 0) return err(faults.slice(0, FAULTS_MAX));
  const { quorum = 1, members = [{ name: OPERATOR }] } = input.operators ?? {};
  return ok({
    ...input,
    file,
    folder: dirname(resolve(cwd, file)),
    quorum: { quorum, members: members.map(({ name }) => name) },
    lineOf: source.value.lineOf,
  });
}

/** Who answers for agents where the file names nobody. */
const OPERATOR = 'operator';
const FAULTS_MAX = 20;

/** A misspelt key is one fault, and not also the absence of what was meant; what is absent is named. */
function inPlainWords(faults: readonly PolicyFault[]): readonly PolicyFault[] {
  const meant = new Set(
    faults.flatMap(({ code, path, suggestion }) =>
      code === 'document.unknown_key' && suggestion !== undefined ? [path.replace(/[^.]*$/, suggestion)] : [],
    ),
  );
  return faults.flatMap((fault) => {
    if (!fault.message.endsWith('found nothing')) return [fault];
    return meant.has(fault.path) ? [] : [{ ...fault, message: `expected ${fault.path}, found nothing` }];
  });
}

/** Whether only this machine reaches a broker. */
export function isLoopback(broker: string): boolean {
  return broker === 'none' || broker === 'spawn' || /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$/.test(broker);
}

function faultsOfAgents(input: SwarmInput, source: Source): readonly PolicyFault[] {
  const faults: PolicyFault[] = [];
  const seen = new Map<string, Path>();
  const malformed = (message: string, path: Path, suggestion?: string): void =>
    void faults.push(source.fault('document.malformed', message, { path, suggestion }));
  for (const [n, agent] of input.agents.entries()) {
    const at: Path = ['agents', n];
    const isMany = agent.name.endsWith('/*');
    if (isMany && agent.count === undefined)
      malformed('expected a count beside a name that ends in /*', [...at, 'name']);
    if (!isMany && agent.count !== undefined) {
      malformed(
        `expected a name that ends in /* beside a count, found ${agent.name}`,
        [...at, 'name'],
        `${agent.name}/*`,
      );
    }
    if (!namesOf(agent).every(isAgentName)) malformed('expected a name of at most 100 characters', [...at, 'name']);
    if (agent.name.startsWith(GUESTS)) {
      malformed(`expected no name below ${GUESTS}, under which others are known: the operator, strangers`, [
        ...at,
        'name',
      ]);
    }
    for (const name of namesOf(agent)) {
      const first = seen.get(name);
      if (first !== undefined) {
        const message = `expected each agent once, found ${name} here and at line ${source.lineOf(first)}`;
        faults.push(source.fault('document.duplicate_id', message, { path: [...at, 'name'] }));
        break;
      }
      seen.set(name, [...at, 'name']);
    }
    if (agent.module === agent.contract.module) {
      malformed('expected the contract in a module without the agent’s code: the node imports it', [
        ...at,
        'contract',
        'module',
      ]);
    }
    if (agent.spawned === true) {
      const own = (['start', 'restart', 'supervise'] as const).find((key) => agent[key] !== undefined);
      if (own !== undefined) malformed(`expected ${own} to be its parent’s to say, since it is spawned`, [...at, own]);
    }
    const { endorsement } = agent;
    const line = endorsement === undefined ? 0 : RING_LINES[endorsement.ring as Ring];
    if (endorsement !== undefined && endorsement.trust < line) {
      malformed(`expected trust of at least ${line}, which opens ring ${endorsement.ring}`, [
        ...at,
        'endorsement',
        'trust',
      ]);
    }
  }
  return faults;
}

function faultsOfParts(input: SwarmInput, source: Source): readonly PolicyFault[] {
  const faults: PolicyFault[] = [];
  const mustBeKnown = (what: string, found: string, known: readonly string[], path: Path): void => {
    if (known.includes(found)) return;
    const message = `expected ${what} of this file, found "${found}"`;
    faults.push(source.fault('document.unknown_name', message, { path, suggestion: nearest(found, known) }));
  };
  const { operators, agents, tools = {}, settings = {}, roles, broker = 'none' } = input;
  const members = operators?.members.map(({ name }) => name) ?? [OPERATOR];
  for (const [n, { sponsor }] of agents.entries()) {
    if (sponsor !== undefined) mustBeKnown('an operator', sponsor, members, ['agents', n, 'sponsor']);
  }
  for (const [name, { with: wanted = [] }] of Object.entries(tools)) {
    for (const [n, setting] of wanted.entries()) {
      mustBeKnown('a setting', setting, Object.keys(settings), ['tools', name, 'with', n]);
    }
  }
  if (
    new Set(members).size < members.length ||
    new Set(operators?.members.map(({ did }) => did)).size < (operators?.members.length ?? 0)
  ) {
    const message = 'expected each operator once, by name and by key';
    faults.push(source.fault('document.duplicate_id', message, { path: ['operators', 'members'], key: true }));
  }
  if (operators !== undefined && operators.quorum > operators.members.length) {
    const message = `expected a quorum of at most ${operators.members.length}, as many as there are members`;
    faults.push(source.fault('document.malformed', message, { path: ['operators', 'quorum'] }));
  }
  if ((operators?.quorum ?? 1) === 1 && !isLoopback(broker)) {
    const path: Path = operators === undefined ? ['broker'] : ['operators', 'quorum'];
    faults.push(source.fault('document.malformed', quorumMessage(broker), { path }));
  }
  if (input.until === 'answered' && agents.every(({ start }) => start === undefined)) {
    const message = 'expected an agent with a start message to wait for, found none';
    faults.push(source.fault('document.malformed', message, { path: ['until'] }));
  }
  if (typeof input.until === 'object') {
    mustBeKnown('an agent', input.until.agent, agents.flatMap(namesOf), ['until', 'agent']);
  }
  if (roles !== undefined) faults.push(...faultsOfRoles(input, roles, { source, mustBeKnown }));
  return faults;
}

export function quorumMessage(broker: string): string {
  return `expected a quorum of 2 or more operators, because ${broker} is not on loopback`;
}

type Known = (what: string, found: string, known: readonly string[], path: Path) => void;

/** Each agent runs in one place: in none it would be missed, in two it would be two. */
function faultsOfRoles(
  { agents, tools = {} }: SwarmInput,
  roles: NonNullable<SwarmInput['roles']>,
  { source, mustBeKnown }: { readonly source: Source; readonly mustBeKnown: Known },
): readonly PolicyFault[] {
  const faults: PolicyFault[] = [];
  const known = agents.map(({ name }) => name);
  const homes = new Map<string, string>();
  for (const [role, { agents: own, tools: wanted = [] }] of Object.entries(roles)) {
    for (const [n, tool] of wanted.entries()) {
      mustBeKnown('a tool', tool, Object.keys(tools), ['roles', role, 'tools', n]);
    }
    for (const [n, name] of own.entries()) {
      const path: Path = ['roles', role, 'agents', n];
      mustBeKnown('an agent', name, known, path);
      const other = homes.get(name);
      if (other !== undefined) {
        const message = `expected each agent in one role, found ${name} in ${other}, too`;
        faults.push(source.fault('document.duplicate_id', message, { path }));
      }
      homes.set(name, role);
    }
  }
  for (const [n, name] of known.entries()) {
    if (homes.has(name)) continue;
    const message = `expected ${name} in one of the roles, found it in none`;
    faults.push(source.fault('document.malformed', message, { path: ['agents', n, 'name'] }));
  }
  return faults;
}
