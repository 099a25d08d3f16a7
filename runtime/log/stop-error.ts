/** Why a log stops: what a failed write means to those who wait for it. */
import { CodedError, hasCode } from '../core/errors.ts';

/** `log.full` where the disk says so, else `log.stopped`; the failure itself is the cause. */
export function stopError(cause: unknown): CodedError {
  if (cause instanceof CodedError && (hasCode(cause, 'log.full') || hasCode(cause, 'log.stopped'))) return cause;
  if ((cause as { code?: unknown } | undefined)?.code === ENOSPC) return fullError(cause);
  const message =
    'a write failed or did not end in time, so what is on disk is unknown: open the log again to find out';
  return new CodedError('log.stopped', message, { cause });
}

export function fullError(cause?: unknown): CodedError {
  const message = 'expected room on the disk, found none: make room, then open the log again';
  return new CodedError('log.full', message, { cause });
}

/** LMDB hands errors of the system through by number. */
const ENOSPC = 28;
