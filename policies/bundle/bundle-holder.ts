/**
 * The bundle that is in force, and how another one takes its place.
 *
 * H1. A bundle replaces another whole, in one assignment: every decision is made under exactly one, and none is made
 *     between two.
 * H2. What cannot be opened changes nothing but what `fault` says.
 * H3. An older version is refused, unless the host says that it means to go back.
 * H4. While `open` reads a bundle, however long it takes, decisions go on under the one in force.
 *
 * It records nothing: `load` checks and returns an event; the host appends that, and then activates.
 */
import type { DigestText } from '../../runtime/codec/record.ts';
import type { Clock } from '../../runtime/core/clock.ts';
import { err, ok, type Result } from '../../runtime/core/result.ts';
import { inSlices } from '../slices.ts';
import type { Bundle } from './bundle.ts';
import { type BundleKeys, type BundleRefusal, openBundle, openSliced } from './signed.ts';

export const POLICY_EVENTS = { activated: 'policy.activated', rejected: 'policy.rejected' } as const;

export type PolicyActivated = {
  readonly type: typeof POLICY_EVENTS.activated;
  readonly digest: DigestText;
  readonly version: number;
  readonly replaced: DigestText | null;
};

export type PolicyRejected = {
  readonly type: typeof POLICY_EVENTS.rejected;
  readonly code: BundleRefusal['code'];
  readonly message: string;
  /** What stays in force; `null`: nothing, so nothing is allowed. */
  readonly kept: DigestText | null;
};

export type LoadOptions = { readonly keys: BundleKeys; readonly quorum?: number; readonly rollback?: boolean };

/** A bundle that is good, and not yet in force. */
export type Loaded = {
  readonly bundle: Bundle;
  readonly event: PolicyActivated;
  /** Puts it in force, unless another bundle came in between: then false, and nothing changed. */
  readonly activate: () => boolean;
};

export class BundleHolder {
  #current: Bundle | undefined;
  #fault: PolicyRejected | undefined;

  /** `initial`: a bundle that needs no signature, because whoever starts the node wrote it there. */
  constructor(initial?: Bundle) {
    this.#current = initial;
  }

  get current(): Bundle | undefined {
    return this.#current;
  }

  /** Why the last load changed nothing; `undefined` once one succeeds. */
  get fault(): PolicyRejected | undefined {
    return this.#fault;
  }

  /** Checks a bundle at once: some seconds, where there are thousands of rules. */
  load(file: Uint8Array, options: LoadOptions): Result<Loaded, PolicyRejected> {
    return this.#loaded(openBundle(file, options.keys, options.quorum), options);
  }

  /** The same a few milliseconds at a time (H4). What came into force meanwhile makes `activate` answer false. */
  async open(
    file: Uint8Array,
    { clock, ...options }: LoadOptions & { readonly clock: Clock },
    signal: AbortSignal,
  ): Promise<Result<Loaded, PolicyRejected>> {
    const opened = await inSlices(openSliced(file, options.keys, options.quorum), clock, signal);
    return this.#loaded(opened, options);
  }

  #loaded(opened: Result<Bundle, BundleRefusal>, options: LoadOptions): Result<Loaded, PolicyRejected> {
    if (!opened.ok) return this.#reject(opened.error);
    const bundle = opened.value;
    const before = this.#current;
    if (before !== undefined && bundle.version < before.version && options.rollback !== true) {
      const message = `expected version ${before.version} or later, found ${bundle.version}`;
      return this.#reject({ code: 'policy.bundle_older', message });
    }
    const { digest, version } = bundle;
    const activate = (): boolean => {
      if (this.#current !== before) return false;
      this.#current = bundle; // H1
      this.#fault = undefined;
      return true;
    };
    const event = { type: POLICY_EVENTS.activated, digest, version, replaced: before?.digest ?? null };
    return ok({ bundle, event, activate });
  }

  #reject({ code, message }: BundleRefusal): Result<never, PolicyRejected> {
    this.#fault = { type: POLICY_EVENTS.rejected, code, message, kept: this.#current?.digest ?? null };
    return err(this.#fault);
  }
}
