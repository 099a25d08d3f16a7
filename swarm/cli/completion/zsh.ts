import { type Branch, stepsIn, type Word } from './branches.ts';

/** Works where it is evaluated after `compinit`, and as a file `_ringmesh` in `$fpath`. */
export function zshScript(branches: readonly Branch[]): string {
  const steps = stepsIn(branches).map((step) => `"${step}"`);
  const cases = branches.map(
    ({ path, words, options }) => `    "${path}") names=(${listOf(words)}); options=(${listOf(options)}) ;;`,
  );
  return `#compdef ringmesh
# ringmesh: completion for zsh
_ringmesh() {
  local at='' i
  local -a names options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      (${steps.join('|')})
        at="\${at:+$at }\${words[i]}" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe option options
  elif (( $#names )); then
    _describe command names
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _ringmesh ]]; then
  _ringmesh "$@"
else
  compdef _ringmesh ringmesh
fi
`;
}

/** `name:description`, each in single quotes. */
function listOf(words: readonly Word[]): string {
  return words
    .map(({ name, description }) => (description === '' ? name : `${name}:${description}`))
    .map((text) => `'${text.replaceAll("'", "'\\''")}'`)
    .join(' ');
}
