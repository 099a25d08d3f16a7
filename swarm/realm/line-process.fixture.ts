/** A process of a fixture that answers each line with a line, until it is killed. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
// biome-ignore lint/style/noRestrictedImports: only for the path of Node.
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class LineProcess implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(fixture: URL, ...args: readonly string[]) {
    this.#child = spawn(execPath, [fileURLToPath(fixture), ...args]);
    this.#child.stdin.on('error', () => undefined); // it was killed before it read the line: there is no answer
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** `undefined`: it ended before it had an answer. */
  async ask(line: string): Promise<string | undefined> {
    this.#child.stdin.write(`${line}\n`);
    const { value, done } = await this.#answers.next();
    return done === true ? undefined : value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}
