import { type Branch, stepsIn } from './branches.ts';

export function fishScript(branches: readonly Branch[]): string {
  const steps = stepsIn(branches).map(quoted);
  const lines = branches.flatMap(({ path, words, options }) => {
    const where = `complete -c ringmesh -n ${quoted(`__ringmesh_at ${quoted(path)}`)}`;
    return [
      ...words.map(({ name, description }) => `${where} -f -a ${quoted(name)} -d ${quoted(description)}`),
      ...options.map(({ name, description }) => `${where} -l ${quoted(name.slice(2))} -d ${quoted(description)}`),
    ];
  });
  return `# ringmesh: completion for fish
function __ringmesh_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${steps.join(' ')}
        set at (string trim "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** In fish, only these two mean something between single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
