import { type Branch, stepsIn, type Word } from './branches.ts';

/** Names and options only: nothing here needs more than bash 3.2, and no completion package. */
export function bashScript(branches: readonly Branch[]): string {
  const steps = stepsIn(branches).map((step) => `"${step}"`);
  const cases = branches.map(
    ({ path, words, options }) => `    "${path}") words="${namesOf(words)}"; options="${namesOf(options)}" ;;`,
  );
  return `# ringmesh: completion for bash
_ringmesh() {
  local cur at='' words='' options='' i
  cur="\${COMP_WORDS[COMP_CWORD]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${steps.join(' | ')})
        at="\${at:+$at }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then words="$options"; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _ringmesh ringmesh
`;
}

function namesOf(words: readonly Word[]): string {
  return words.map(({ name }) => name).join(' ');
}
