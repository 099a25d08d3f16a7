/**
 * Answers service discovery over a link.
 *
 * Y1. Answers go to `_INBOX.…` only, where the broker lets operators' tools listen and no node: a reply subject is chosen by
 *     whoever asks, and would otherwise make this node speak wherever it may publish.
 */
import { utf8 } from '../runtime/core/bytes.ts';
import { discoveryAnswer, type NodeCard, type NodeLoad, VERBS } from './discovery.ts';
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
