/** `policy check`: documents that are good together, and the digest of the bundle that they make. */
import { compileBundle } from '../../../policies/bundle/bundle.ts';
import type { Shell } from '../shell.ts';
import { readPolicies, refuse } from './read-policies.ts';

/** @throws `input.malformed` after telling each fault */
export async function checkPolicies(
  shell: Shell,
  files: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  const documents = await readPolicies(shell, files);
  const bundle = compileBundle(documents);
  if (!bundle.ok) return refuse(shell, bundle.error);
  const { digest, tools } = bundle.value;
  const told = bundle.value.documents.map(({ name, layer, rules, source }) => ({
    file: source.file,
    name,
    layer,
    rules: rules.length,
  }));
  if (options.json === true) {
    await shell.out.write(`${JSON.stringify({ bundle: digest, tools: tools.size, documents: told })}\n`);
    return;
  }
  const lines = told.map(({ file, name, layer, rules }) => `ok  ${file}  ${name}  ${layer}  ${rules} rules`);
  await shell.out.write(`${lines.join('\n')}\nbundle ${digest}\n`);
}
