/** Heads of logs, as the log of this node has them: its own, and those of others that are on record in it. */
import { sha256 } from '../../runtime/codec/digest.ts';
import { type DigestText, digestText } from '../../runtime/codec/record.ts';
import { utf8 } from '../../runtime/core/bytes.ts';
import type { EventLog } from '../../runtime/log/event-log.ts';
import type { Heads, LogHead } from './heads.ts';
import { headIn, PREFIX } from './link-events.ts';

/** The head of this node's log as it is now; the root is computed once for each size. */
export class OwnHead {
  readonly #log: EventLog;
  readonly #origin: DigestText;
  #head: LogHead | undefined;

  constructor(log: EventLog) {
    this.#log = log;
    this.#origin = digestText(sha256(utf8(log.origin)));
  }

  now(): LogHead {
    const { size } = this.#log;
    if (this.#head?.size === size) return this.#head;
    this.#head = { origin: this.#origin, root: digestText(this.#log.root()), size };
    return this.#head;
  }
}

/** Takes in what other nodes stated in earlier lives of this one: the newest heads of each, and which lives of it were met. */
export function recallHeads(log: EventLog, heads: Heads): void {
  for (const stream of log.streams(PREFIX)) {
    if (!stream.startsWith(PREFIX)) return;
    for (const { type, payload } of log.readStream(stream, Math.max(0, log.versionOf(stream) - RECALLED_MAX))) {
      if ((type !== 'peer.head_seen' && type !== 'peer.met') || payload.type !== 'json') continue;
      const { node, head, epoch } = headIn(payload.value);
      heads.recall(node, head, epoch);
    }
  }
}

/** Events of each node that are read at the start. */
const RECALLED_MAX = 256;
