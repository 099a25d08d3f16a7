/**
 * What a swarm file names, loaded: contracts and tools into this process, policies compiled. Agents' code is only named here:
 * it runs in hosts.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commandOf, covers } from '../../mesh/delegation/command.ts';
import { type Bundle, compileBundle } from '../../policies/bundle/bundle.ts';
import { type PolicyDocument, parsePolicy, policy } from '../../policies/document/document.ts';
import { formatFault, type PolicyFault } from '../../policies/document/fault.ts';
import type { AgentModule } from '../../runtime/actor/child-hosts.ts';
import type { Contract } from '../../runtime/actor/contract.ts';
import type { ProvidedTool } from '../../runtime/actor/tool.ts';
import { CodedError, messageOf } from '../../runtime/core/errors.ts';
import { namesOf } from '../file/agent-names.ts';
import { type Configuration, roleNamed } from '../file/configuration.ts';
import type { AgentInput } from '../file/shape.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { exportOf, meant, placeOf, readBounded, unusable } from './load-module.ts';
import { loadAllTools } from './load-tools.ts';

export type LoadedAgent = AgentInput & {
  readonly names: readonly string[];
  readonly contractValue: Contract;
  readonly implementation: AgentModule;
};

export type Loaded = {
  /** All agents of the file, in its order. */
  readonly agents: readonly LoadedAgent[];
  /** Those that run here. */
  readonly here: readonly LoadedAgent[];
  readonly tools: readonly ProvidedTool[];
  readonly bundle: Bundle;
  readonly close: () => Promise<void>;
};

/** A policy of ten thousand rules fits. */
const POLICY_BYTES_MAX = 8 * 1024 * 1024;

/** @throws {CodedError} `swarm.module_unusable` · `swarm.policy_unusable`, with every fault where it stands ·
 *  `swarm.delegation_unusable` · `config.secret_*` */
export async function loadSwarm(swarm: SwarmFile, { only, settings }: Configuration): Promise<Loaded> {
  const agents: LoadedAgent[] = [];
  for (const [n, agent] of swarm.agents.entries()) agents.push(await loadAgent(swarm, agent, n));
  mustAgree(swarm, agents);
  mustRecord(swarm, agents);
  mustBeUsable(swarm, agents);
  const bundle = await loadPolicies(swarm, agents);
  const role = only.value === null ? undefined : swarm.roles?.[roleNamed(swarm, only.value).role];
  const here = role === undefined ? agents : agents.filter(({ name }) => role.agents.includes(name));
  const isWanted = (tool: string): boolean => role?.tools?.includes(tool) ?? true;
  const { tools, close } = await loadAllTools(swarm, settings, isWanted);
  return { agents, here, tools, bundle, close };
}

async function loadAgent(swarm: SwarmFile, agent: AgentInput, n: number): Promise<LoadedAgent> {
  const at = ['agents', n] as const;
  const where = placeOf(swarm, at);
  const contractValue = await exportOf(swarm, agent.contract, placeOf(swarm, [...at, 'contract']));
  if (!isContract(contractValue)) {
    throw unusable(where, `expected a value of contract(…) as ${agent.contract.export} of ${agent.contract.module}`);
  }
  const path = resolve(swarm.folder, agent.module);
  if (!existsSync(path)) throw unusable(placeOf(swarm, [...at, 'module']), `expected a module ${path}, found none`);
  const { start } = agent;
  if (start !== undefined && !Object.hasOwn(contractValue.spec.messages, start.message)) {
    const known = Object.keys(contractValue.spec.messages);
    const message = `expected one of the messages ${known.join(', ')} of ${contractValue.name}, found ${start.message}`;
    throw unusable(placeOf(swarm, [...at, 'start']), message + meant(start.message, known));
  }
  const implementation = { module: pathToFileURL(path).href, name: agent.export };
  return { ...agent, names: namesOf(agent), contractValue, implementation };
}

/** A host is started per contract: two codes for one contract would be a matter of luck. */
function mustAgree(swarm: SwarmFile, agents: readonly LoadedAgent[]): void {
  const seen = new Map<string, LoadedAgent>();
  for (const [n, agent] of agents.entries()) {
    const { name, digest } = agent.contractValue;
    const other = seen.get(name);
    if (other === undefined) {
      seen.set(name, agent);
      continue;
    }
    const isSame =
      other.contractValue.digest === digest &&
      other.implementation.module === agent.implementation.module &&
      other.implementation.name === agent.implementation.name;
    if (isSame) continue;
    const message = `expected one implementation of the contract ${name}, found another for ${other.name}`;
    throw unusable(placeOf(swarm, ['agents', n]), message);
  }
}

/** What the swarm waits for can happen. */
function mustRecord(swarm: SwarmFile, agents: readonly LoadedAgent[]): void {
  const { until } = swarm;
  if (typeof until !== 'object') return;
  const { name = '', spec } = agents.find(({ names }) => names.includes(until.agent))?.contractValue ?? {};
  const known = Object.keys(spec?.events ?? {});
  if (known.includes(until.records)) return;
  const message = `expected one of the events ${known.join(', ') || '(there are none)'} of ${name}, found ${until.records}`;
  throw unusable(placeOf(swarm, ['until', 'records']), message + meant(until.records, known));
}

/** What is given is something that an agent of the file could do: `command` has no typing error in it. */
function mustBeUsable(swarm: SwarmFile, agents: readonly LoadedAgent[]): void {
  const known = [...new Set(agents.flatMap(({ contractValue }) => commandsOf(contractValue)))];
  for (const [n, { command }] of (swarm.delegations ?? []).entries()) {
    if (known.some((one) => covers(command, one))) continue;
    const where = placeOf(swarm, ['delegations', n, 'command']);
    const message = `expected the command of a tool, a message or a spawn of this file, found ${command}`;
    throw new CodedError('swarm.delegation_unusable', `${where}: ${message}${meant(command, known)}`);
  }
}

function commandsOf({ name, spec }: Contract): readonly string[] {
  const actions: readonly Parameters<typeof commandOf>[0][] = [
    ...Object.values(spec.uses ?? {}).map((tool) => ({ verb: 'use', target: tool.name }) as const),
    ...Object.keys(spec.messages).map((message) => ({ verb: 'ask', target: `${name}.${message}@` }) as const),
    { verb: 'spawn', target: `${name}@` },
    { verb: 'stop', target: '' },
  ];
  return actions.flatMap((action) => {
    const command = commandOf(action);
    return command.ok ? [command.value] : [];
  });
}

async function loadPolicies(swarm: SwarmFile, agents: readonly LoadedAgent[]): Promise<Bundle> {
  const documents: PolicyDocument[] = [];
  const faults: PolicyFault[] = [];
  for (const [n, file] of swarm.policies.entries()) {
    const path = resolve(swarm.folder, file);
    const bytes = await readBounded(path, POLICY_BYTES_MAX).catch((cause: unknown) => {
      const where = placeOf(swarm, ['policies', n]);
      throw new CodedError('swarm.policy_unusable', `${where}: expected a policy, found: ${messageOf(cause)}`, {
        cause,
      });
    });
    const parsed = parsePolicy(new TextDecoder().decode(bytes), file);
    if (parsed.ok) documents.push(parsed.value);
    else faults.push(...parsed.error);
  }
  if (faults.length > 0) throw faulty(faults);
  documents.push(...needsOf(agents));
  const compiled = compileBundle(documents);
  if (compiled.ok) return compiled.value;
  throw faulty(compiled.error);
}

/** What callers of an agent must have, as a document that denies and allows nothing. */
function needsOf(agents: readonly LoadedAgent[]): readonly PolicyDocument[] {
  const rules = agents.flatMap(({ name, needs, contractValue: { name: contract, spec } }, n) => {
    if (needs === undefined) return [];
    const tool = Object.keys(spec.messages).map((message) => `${contract}.${message}@${name}`);
    const rule = {
      id: `needs-${n + 1}`,
      on: { verb: ['ask', 'tell'] as ('ask' | 'tell')[], tool },
      when: `subject.trust < ${needs.trust}`,
      effect: 'deny' as const,
      because: `${name} needs callers of trust ${needs.trust}`,
    };
    return [rule];
  });
  return rules.length === 0 ? [] : [policy({ name: 'swarm-needs', layer: 'mesh', rules })];
}

function faulty(faults: readonly PolicyFault[]): CodedError {
  const message = `expected policies without faults:\n${faults.map(formatFault).join('\n')}`;
  return new CodedError('swarm.policy_unusable', message);
}

function isContract(value: unknown): value is Contract {
  if (typeof value !== 'object' || value === null) return false;
  const { name, digest, spec } = value as Partial<Contract>;
  return typeof name === 'string' && typeof digest === 'string' && typeof spec?.messages === 'object';
}
