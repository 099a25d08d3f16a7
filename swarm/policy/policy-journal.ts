/**
 * The policies of a node on record: which bundle came into force when, and its very bytes, so that the log alone is enough
 * to decide again.
 *
 * J1. A bundle's bytes stand in the log before the first decision under it, once, and their digest is the one that records
 *     of decisions name.
 * J2. `policy.activated` says that another bundle decides from here on. The same bundle after a restart is no event.
 * J3. A load that fails is `policy.rejected`, and what was in force stays in force.
 *
 * All of it is in the stream `policy`. It never waits: an append in the tick of a decision stands before that decision.
 */
import type { Bundle } from '../../policies/bundle/bundle.ts';
import {
  type BundleHolder,
  type LoadOptions,
  POLICY_EVENTS,
  type PolicyActivated,
  type PolicyRejected,
} from '../../policies/bundle/bundle-holder.ts';
import { parseBundle } from '../../policies/bundle/signed.ts';
import { sha256 } from '../../runtime/codec/digest.ts';
import { type DigestText, digestText, type LogRecord, parseStreamId } from '../../runtime/codec/record.ts';
import { BLOB_BYTES_MAX } from '../../runtime/core/limits.ts';
import { err, ok, type Result, unwrap } from '../../runtime/core/result.ts';
import { eventIdOf } from '../../runtime/kernel/event-id.ts';
import type { EventLog, NewEvent } from '../../runtime/log/event-log.ts';
import { jsonOf } from '../../runtime/log/upcast.ts';
import { eventType } from '../../runtime/log/vocabulary.ts';

/** The bytes that a bundle's digest is of: long ones become a blob of the log, under that very digest. */
const STORED = 'policy.stored';
const MEDIA = 'application/vnd.ringmesh.bundle+json';
const STREAM = unwrap(parseStreamId('policy'), 'a stream');

/** As much of a log as this needs. */
type PolicyLog = BundleSource & Pick<EventLog, 'append' | 'did' | 'find' | 'versionOf'>;

export class PolicyJournal {
  readonly #log: PolicyLog;
  readonly #stored = new Set<DigestText>();
  /** What the log last says is in force. */
  #told: DigestText | null;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(log: PolicyLog) {
    this.#log = log;
    this.#told = activations(log).at(-1)?.digest ?? null;
  }

  /** The bundle to decide by, on record from this tick on (J1); none if the log could not hold it. */
  inForce(bundle: Bundle | undefined): Bundle | undefined {
    if (bundle === undefined || !isRecordable(bundle)) return undefined;
    const { digest, version } = bundle;
    if (digest === this.#told) return bundle;
    const payload = { digest, version, replaced: this.#told };
    const stored: NewEvent[] = this.#isStored(digest) ? [] : [this.#event(STORED, digest, bytesOf(bundle))];
    const activated = this.#event(POLICY_EVENTS.activated, digest, { type: 'json', value: payload });
    this.#stored.add(digest);
    this.#told = digest; // J2
    this.#append([...stored, activated], () => {
      this.#stored.delete(digest);
      if (this.#told === digest) this.#told = null; // the next decision tries again
    });
    return bundle;
  }

  /** Loads a signed bundle and puts it in force, or records why not (J3). Resolves once that is on disk. */
  async load(
    holder: BundleHolder,
    file: Uint8Array,
    options: LoadOptions,
  ): Promise<Result<Bundle, Omit<PolicyRejected, 'type'>>> {
    const loaded = holder.load(file, options);
    if (!loaded.ok) return this.#reject(loaded.error);
    const { bundle, activate } = loaded.value;
    if (!isRecordable(bundle)) {
      const message = `expected a bundle of at most ${BLOB_BYTES_MAX} bytes, found ${bundle.bytes.length}`;
      const kept = holder.current?.digest ?? null;
      return this.#reject({ type: POLICY_EVENTS.rejected, code: 'policy.bundle_malformed', message, kept });
    }
    activate(); // no await since `load`, so nothing came in between
    this.inForce(bundle);
    await this.recorded();
    return ok(bundle);
  }

  /** Resolves when what was to be recorded is on disk. */
  async recorded(): Promise<void> {
    await this.#writing;
  }

  async #reject({ type, ...payload }: PolicyRejected): Promise<Result<never, Omit<PolicyRejected, 'type'>>> {
    this.#append([this.#event(type, payload.code, { type: 'json', value: payload })]);
    await this.recorded();
    return err(payload);
  }

  #isStored(digest: DigestText): boolean {
    return this.#stored.has(digest) || this.#log.find(eventIdOf(STORED, digest)) !== undefined;
  }

  #event(type: string, word: string, payload: NewEvent['payload']): NewEvent {
    const place = type === STORED ? [] : [this.#log.versionOf(STREAM)]; // stored once, and told as often as it happens
    return { id: eventIdOf(type, word, ...place), type: eventType(type), actor: this.#log.did, payload };
  }

  #append(events: readonly NewEvent[], onFailure?: () => void): void {
    const appended = this.#log.append([{ stream: STREAM, expected: 'any', events }]);
    if (onFailure !== undefined) appended.catch(onFailure);
    // A log that refuses this refuses the next act, too: whoever asks for that hears of it.
    this.#writing = Promise.allSettled([this.#writing, appended]);
  }
}

export type Activation = Omit<PolicyActivated, 'type'> & { readonly index: number };

/** What came into force and when, in order. */
export function activations(log: BundleSource): readonly Activation[] {
  return [...log.readStream(STREAM)]
    .filter(({ type }) => type === POLICY_EVENTS.activated)
    .map((record) => ({ ...(jsonOf(record, log) as unknown as Omit<PolicyActivated, 'type'>), index: record.index }));
}

type BundleSource = Pick<EventLog, 'readStream' | 'blob'>;

/** The bundles whose bytes are in a log, by the digests that its decisions name. */
export function recordedBundles(log: BundleSource): (digest: DigestText) => Bundle | undefined {
  const records = [...log.readStream(STREAM)].filter(({ type }) => type === STORED);
  const places = new Map(records.map((record) => [digestOf(record), record]));
  const opened = new Map<DigestText, Bundle | undefined>();
  return (digest) => {
    const record = places.get(digest);
    if (record !== undefined && !opened.has(digest)) opened.set(digest, bundleOf(record, digest, log));
    return opened.get(digest);
  };
}

/** Of the bytes, not of what a record claims. */
function digestOf({ payload }: LogRecord): DigestText | undefined {
  if (payload.type === 'blob') return payload.digest;
  return payload.type === 'bytes' ? digestText(sha256(payload.bytes)) : undefined;
}

function bundleOf({ payload }: LogRecord, digest: DigestText, log: BundleSource): Bundle | undefined {
  const bytes =
    payload.type === 'bytes' ? payload.bytes : payload.type === 'blob' ? log.blob(payload.digest) : undefined;
  const bundle = bytes === undefined ? undefined : parseBundle(bytes);
  return bundle?.ok === true && bundle.value.digest === digest ? bundle.value : undefined;
}

function isRecordable({ bytes }: Bundle): boolean {
  return bytes.length <= BLOB_BYTES_MAX;
}

function bytesOf({ bytes }: Bundle): NewEvent['payload'] {
  return { type: 'bytes', media: MEDIA, bytes };
}
