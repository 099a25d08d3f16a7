import { type Origin, parseOrigin } from '../codec/checkpoint.ts';
import { formatDidKey } from '../codec/did-key.ts';
import { generateKeyPair, type KeyPair } from '../codec/ed25519.ts';
import { noteSigner } from '../codec/note.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { unwrap } from '../core/result.ts';
import { type Anchor, contradiction, memoryAnchor } from './anchor.ts';
import { Journal } from './journal.ts';
import { MemoryDisk, MemoryStore } from './memory-store.ts';
import { recoverTree } from './recover.ts';

/** The durable world of an in-memory log: open it again after a crash and the log goes on where its disk was. */
export class MemoryWorld {
  readonly disk = new MemoryDisk();
  readonly origin: Origin;
  readonly keys: KeyPair;
  readonly anchor: Anchor;

  constructor(random: Random, origin = 'test/node/log/0') {
    this.origin = unwrap(parseOrigin(origin), 'an origin');
    this.keys = generateKeyPair(random.stream('log key'));
    this.anchor = memoryAnchor(noteSigner(this.origin, this.keys));
  }

  /** Opens the log as a node does at start.
   *  @throws `log.damaged` · `log.rolled_back` · `log.forked` */
  async open(clock: Clock, flushMsMax?: number): Promise<{ readonly log: Journal; readonly store: MemoryStore }> {
    const store = new MemoryStore(this.origin, this.disk);
    const tree = recoverTree(store);
    const anchored = await this.anchor.read();
    const wrong = anchored && contradiction(anchored, tree.size, (size) => tree.root(size));
    if (wrong !== undefined) throw wrong;
    const signer = noteSigner(this.origin, this.keys);
    const did = formatDidKey(this.keys.publicKey);
    const parts = { store, tree, clock, signer, did, anchor: this.anchor };
    return { store, log: new Journal(flushMsMax === undefined ? parts : { ...parts, flushMsMax }) };
  }
}
