/**
 * How contracts' and messages' names stand in a command: `/quote/price`. Commands have no upper case, and messages may: an
 * upper-case letter is written as a hyphen and its lower case, with a zero before it where it comes first. So
 * `fetchPage` is `fetch-page` and `Price` is `0-price`, and each has one spelling.
 */

const WORD = /^[A-Za-z][A-Za-z0-9]{0,59}$/;
const SPELLED = /^(?:0-)?[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$/;
const SEGMENT_MAX = 63;
const REMEMBERED_MAX = 1_024;
/** As long as a command may be. */
const TEXT_MAX = 200;

type Command = { readonly contract: string; readonly name: string };

/** The command for a message of a contract; nothing, if the name has none (too many upper-case letters). */
export function commandOf(contract: string, name: string): string | undefined {
  const word = spell(name);
  return word === undefined ? undefined : `/${contract}/${word}`;
}

/** A message's name as one lower-case segment, as cards and commands write it. */
export const spell = remembering((name: string): string | undefined => {
  if (!WORD.test(name)) return undefined;
  const hyphened = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const spelled = hyphened.startsWith('-') ? `0${hyphened}` : hyphened;
  return spelled.length <= SEGMENT_MAX ? spelled : undefined;
});

/** The contract and the message that a command names, if it is the one spelling of them. */
export const readCommand = remembering((command: string): Command | undefined => {
  const [, contract, word, ...more] = command.split('/');
  if (contract === undefined || word === undefined || more.length > 0 || !SPELLED.test(word)) return undefined;
  const name = word.replace(/^0/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return spell(name) === word ? { contract, name } : undefined;
});

/** The same few words come with every message: the answers for the last REMEMBERED_MAX are kept. */
function remembering<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const answer = read(text);
    if (answer === undefined || text.length > TEXT_MAX) return answer;
    known.set(text, answer);
    const [oldest] = known.keys();
    if (known.size > REMEMBERED_MAX && oldest !== undefined) known.delete(oldest);
    return answer;
  };
}
