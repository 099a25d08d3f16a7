/**
 * Answers service discovery over a link, and asks it as an operator's tool does.
 *
 * Y1. Answers go to `_INBOX.…` only, where the broker lets operators' tools listen and no node: a reply subject is chosen by
 *     whoever asks, and would otherwise make this node speak wherever it may publish.
 */
import { toBase64url, utf8, view } from '../runtime/core/bytes.ts';
import type { Clock } from '../runtime/core/clock.ts';
import { CodedError } from '../runtime/core/errors.ts';
import type { Random } from '../runtime/core/random.ts';
import { discoveryAnswer, type NodeCard, type NodeLoad, VERBS, type Verb } from './discovery.ts';
import type { NatsLink } from './nats-link.ts';
import { isOperatorInbox, subject } from './subject.ts';

/** From now on, for as long as the link lives. `load` is asked for each answer. */
export function answerDiscovery(link: NatsLink, card: NodeCard, load: () => NodeLoad): void {
  const asked = VERBS.flatMap((verb) => subject.discovery(verb, card.self).map((pattern) => ({ verb, pattern })));
  link.attach({
    subscribe(connection) {
      for (const { verb, pattern } of asked) {
        connection.subscribe(pattern, {
          callback(error, { reply }) {
            if (error !== null || reply === undefined || !isOperatorInbox(reply)) return; // Y1
            connection.publish(reply, utf8(JSON.stringify(discoveryAnswer(verb, card, load()))));
          },
        });
      }
    },
  });
}

/**
 * What nodes answer to these verbs until `limitMs` is over, or `isEnough`. Each is JSON as it came: anybody in the realm may
 * have said it, and whoever asks must not believe more than that.
 * @throws {CodedError} `transport.lost` (retryable); or the signal's reason
 */
export async function askDiscovery(
  link: NatsLink,
  verbs: readonly Verb[],
  asking: {
    readonly clock: Clock;
    readonly random: Random;
    readonly limitMs: number;
    readonly isEnough: (answers: readonly unknown[]) => boolean;
  },
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  signal.throwIfAborted();
  const { connection } = link;
  if (connection === undefined) {
    throw new CodedError('transport.lost', 'expected a connection to the broker', { retryable: true });
  }
  const { clock, random, limitMs, isEnough } = asking;
  const inbox = subject.operatorInbox(toBase64url(random.bytes(16)));
  const answers: unknown[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const subscription = connection.subscribe(inbox, {
    callback(error, { data }) {
      const answer = error === null ? readAnswer(data) : undefined;
      if (answer === undefined) return;
      answers.push(answer);
      if (answers.length >= ANSWERS_MAX || isEnough(answers)) resolve();
    },
  });
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  using _ = clock.after(limitMs, resolve);
  try {
    for (const verb of verbs) connection.publish(subject.discoverNodes(verb), '', { reply: inbox });
    await promise;
    return answers;
  } finally {
    signal.removeEventListener('abort', onAbort);
    subscription.unsubscribe();
  }
}

/** Twice as many as there may be nodes, for two verbs. */
const ANSWERS_MAX = 16_384;

function readAnswer(data: Uint8Array): unknown {
  try {
    return JSON.parse(view(data).toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
