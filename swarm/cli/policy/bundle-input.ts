/** A bundle from the command line: documents in YAML, or one signed bundle. */
import { type Bundle, compileBundle } from '../../../policies/bundle/bundle.ts';
import { type BundleKeys, openBundle, peekBundle } from '../../../policies/bundle/signed.ts';
import { parsePolicy } from '../../../policies/document/document.ts';
import { parseDidKey } from '../../../runtime/codec/did-key.ts';
import { CodedError } from '../../../runtime/core/errors.ts';
import { readInput } from '../read-input.ts';
import type { Shell } from '../shell.ts';
import { refuse } from './read-policies.ts';

export type BundleOptions = {
  readonly bundle: readonly string[];
  /** `name=did:key:…` of those who may sign. */
  readonly key?: readonly string[];
  readonly quorum?: number;
};

/** What a signed bundle begins with; no YAML document does. */
const SIGNED = 'ringmesh-bundle/1 ';

/**
 * @param trust `verified`: a signed bundle needs keys, because somebody will be allowed things by it. `any`: a bundle to look
 *   at; without keys its signatures are not checked, and stderr says so.
 * @throws `file.not_found` · `usage.invalid` · `input.malformed` after telling each fault · `policy.bundle_*`
 */
export async function readBundle(
  shell: Shell,
  options: BundleOptions,
  trust: 'verified' | 'any',
  version = 1,
): Promise<Bundle> {
  const files = await Promise.all(options.bundle.map(async (file) => ({ file, bytes: await readInput(shell, file) })));
  const [first, ...more] = files;
  if (first === undefined || !isSigned(first.bytes)) return compile(shell, files, version);
  if (more.length > 0) throw new CodedError('usage.invalid', 'expected one signed bundle, found several files');
  const keys = keysOf(options.key ?? []);
  if (keys.size === 0 && trust === 'verified') {
    throw new CodedError('usage.invalid', 'expected --key name=did:key:… of those who may sign, found none');
  }
  if (keys.size === 0) await shell.notes.write(`note: the signatures of ${first.file} were not checked: no --key\n`);
  const opened = keys.size === 0 ? peekBundle(first.bytes) : openBundle(first.bytes, keys, options.quorum);
  if (!opened.ok) throw new CodedError(opened.error.code, `${first.file}: ${opened.error.message}`);
  return opened.value;
}

async function compile(
  shell: Shell,
  files: readonly { readonly file: string; readonly bytes: Uint8Array }[],
  version: number,
): Promise<Bundle> {
  const parsed = files.map(({ file, bytes }) => parsePolicy(Buffer.from(bytes).toString('utf8'), file));
  const faults = parsed.flatMap((one) => (one.ok ? [] : one.error));
  if (faults.length > 0) return refuse(shell, faults);
  const bundle = compileBundle(
    parsed.flatMap((one) => (one.ok ? [one.value] : [])),
    { version },
  );
  return bundle.ok ? bundle.value : refuse(shell, bundle.error);
}

function isSigned(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, SIGNED.length)).toString('latin1') === SIGNED;
}

function keysOf(texts: readonly string[]): BundleKeys {
  return new Map(
    texts.map((text) => {
      const end = text.indexOf('=');
      const key = parseDidKey(text.slice(end + 1));
      if (end > 0 && key.ok) return [text.slice(0, end), key.value] as const;
      throw new CodedError('usage.invalid', `--key: expected name=did:key:…, found ${text}`);
    }),
  );
}
