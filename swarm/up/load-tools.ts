/** The tools that a swarm file names, made with the settings that it gives each of them. */
import { stat } from 'node:fs/promises';
import type { ProvidedTool } from '../../runtime/actor/tool.ts';
import { CodedError, hasCode, messageOf } from '../../runtime/core/errors.ts';
import type { Configuration, SettingValue } from '../file/configuration.ts';
import type { ModuleInput } from '../file/shape.ts';
import type { SwarmFile } from '../file/swarm-file.ts';
import { exportOf, placeOf, readBounded, unusable } from './load-module.ts';

export type LoadedTools = { readonly tools: readonly ProvidedTool[]; readonly close: () => Promise<void> };

const SECRET_BYTES_MAX = 64 * 1024;

/** Those that `isWanted`, in the order of the file. A function of settings may give `{ tools, [Symbol.dispose] }`, too: it is
 *  closed last.
 *  @throws {CodedError} `swarm.module_unusable` · `config.secret_exposed` · `file.not_found` */
export async function loadAllTools(
  swarm: SwarmFile,
  settings: Configuration['settings'],
  isWanted: (name: string) => boolean,
): Promise<LoadedTools> {
  const opened: (AsyncDisposable | Disposable)[] = [];
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).toReversed()) await disposed(one);
  };
  try {
    const tools: ProvidedTool[] = [];
    for (const [name, { with: wanted = [], ...module }] of Object.entries(swarm.tools ?? {})) {
      if (!isWanted(name)) continue;
      const told = await settingsFor(wanted, settings);
      tools.push(...(await loadTools(swarm, module, { name, told, opened })));
    }
    return { tools, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Told = { readonly [name: string]: string | number | boolean };

async function settingsFor(wanted: readonly string[], settings: Configuration['settings']): Promise<Told> {
  const told: Record<string, string | number | boolean> = {};
  for (const name of wanted) {
    const value = settings[name]?.value;
    if (value !== undefined) told[name] = await toldOf(value);
  }
  return told;
}

async function toldOf(value: SettingValue): Promise<string | number | boolean> {
  if (typeof value !== 'object') return value;
  const { secret: path } = value;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8);
      throw new CodedError('config.secret_exposed', `expected ${path} to be its owner's alone (0600), found ${found}`);
    }
    return new TextDecoder().decode(await readBounded(path, SECRET_BYTES_MAX)).replace(/\r?\n$/, '');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('file.not_found', `expected a secret in ${path}, found no file`, { cause: error });
  }
}

async function loadTools(
  swarm: SwarmFile,
  module: ModuleInput,
  {
    name,
    told,
    opened,
  }: { readonly name: string; readonly told: Told; readonly opened: (AsyncDisposable | Disposable)[] },
): Promise<readonly ProvidedTool[]> {
  const where = placeOf(swarm, ['tools', name]);
  const exported = await exportOf(swarm, module, where);
  const made: unknown = typeof exported === 'function' ? await called(exported as ToolMaker, told, where) : exported;
  if (isDisposable(made)) opened.push(made);
  const listed = typeof made === 'object' && made !== null && 'tools' in made ? made.tools : made;
  const tools: readonly unknown[] = Array.isArray(listed) ? listed : [listed];
  if (tools.length > 0 && tools.every(isProvided)) return tools;
  throw unusable(where, `expected values of provide(…) as ${module.export} of ${module.module}`);
}

type ToolMaker = (settings: Told) => unknown;

async function called(make: ToolMaker, told: Told, where: string): Promise<unknown> {
  try {
    return await make(told);
  } catch (cause) {
    // biome-ignore lint/style/useErrorCause: the cause is there, as the third argument.
    throw new CodedError('swarm.module_unusable', `${where}: the tool could not be made: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function isProvided(value: unknown): value is ProvidedTool {
  if (typeof value !== 'object' || value === null) return false;
  const { tool, executor } = value as Partial<ProvidedTool>;
  return typeof tool?.name === 'string' && typeof executor?.run === 'function';
}

function isDisposable(value: unknown): value is AsyncDisposable | Disposable {
  return typeof value === 'object' && value !== null && (Symbol.asyncDispose in value || Symbol.dispose in value);
}

async function disposed(one: AsyncDisposable | Disposable): Promise<void> {
  if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
  else one[Symbol.dispose]();
}
