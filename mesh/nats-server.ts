/**
 * What a NATS server is, learned from its INFO at every connection, the first and each later one: servers are replaced while
 * nodes live. Older servers take some requests for newer features without an error and do something else, so a feature is
 * used only where its trait says that the server has it.
 *
 * | trap (2.9.10, 2.10.27 and 2.15.1 were tried) | what older servers do |
 * |---|---|
 * | a time to live for one message or key, before 2.11 | take it, and keep the message for ever |
 * | a reason in a `+TERM`, before 2.10 | do not know the word, and deliver again |
 * | `sync_interval: always`, before 2.10 | refuse to start |
 * | auth callout, before 2.10 | refuse to start |
 */
import { err, ok, type Refusal, type Result } from '../runtime/core/result.ts';

export type NatsServer = {
  readonly version: string;
  /** The longest message that it takes. */
  readonly messageBytesMax: number;
  /** Whether it says that nobody listens, and can answer with a status. */
  readonly hasHeaders: boolean;
  /** Whether JetStream is on, for some account at least. */
  readonly hasJetStream: boolean;
  /** A message of a stream may end before its stream's age. */
  readonly hasMessageTtl: boolean;
  /** It can ask a service who may log in. */
  readonly hasAuthCallout: boolean;
  /** `sync_interval: always`: a stream's acknowledgement means that it is on disk. */
  readonly hasSyncAlways: boolean;
};

/** What the client hands on of a server's INFO. */
export type ServerInfo = {
  readonly version: string;
  readonly max_payload: number;
  readonly headers?: boolean;
  readonly jetstream?: boolean;
};

/** What the server can do, or why it cannot carry a realm. */
export function readServer(info: ServerInfo | undefined): Result<NatsServer, Refusal> {
  const version = info?.version ?? '';
  if (info === undefined || !isAtLeast(version, OLDEST)) {
    return err({ code: 'transport.old_server', message: `expected nats-server 2.9.10 or newer, found "${version}"` });
  }
  return ok({
    version,
    messageBytesMax: info.max_payload,
    hasHeaders: info.headers === true,
    hasJetStream: info.jetstream === true,
    hasMessageTtl: isAtLeast(version, [2, 11, 0]),
    hasAuthCallout: isAtLeast(version, [2, 10, 0]),
    hasSyncAlways: isAtLeast(version, [2, 10, 0]),
  });
}

type Version = readonly [major: number, minor: number, patch: number];

const OLDEST: Version = [2, 9, 10];

/** A release candidate counts as the release: it has what is looked for here. What is no version is older than any. */
function isAtLeast(version: string, [major, minor, patch]: Version): boolean {
  const parts = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+]|$)/.exec(version);
  if (parts === null) return false;
  const [x, y, z] = parts.slice(1).map(Number) as [number, number, number];
  return x !== major ? x > major : y !== minor ? y > minor : z >= patch;
}
