/**
 * The process that verifies for `verify-child.ts`: it is told which log by a message, answers by messages, and may die of what
 * it reads. It ends with the channel to its parent.
 */
import { hasCode, messageOf } from '../core/errors.ts';
import { type LogReport, verifyLog } from './fsck.ts';

export type VerifyJob = { readonly directory: string; readonly anchors?: string };

export type VerifyAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly done: number; readonly size: number }
  | { readonly type: 'report'; readonly report: LogReport }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

// biome-ignore lint/style/noRestrictedGlobals: the entry of a process of its own, which is all there is of it.
const channel = process;

function answer(message: VerifyAnswer): void {
  channel.send?.(message);
}

channel.on('message', async ({ directory, anchors }: VerifyJob) => {
  const progress = (done: number, size: number): void => answer({ type: 'progress', done, size });
  try {
    const report = await verifyLog(directory, { progress, ...(anchors === undefined ? {} : { anchors }) });
    answer({ type: 'report', report });
  } catch (error) {
    answer({ type: 'failed', code: hasCode(error) ? error.code : 'log.unreadable', message: messageOf(error) });
  }
});
channel.on('disconnect', () => channel.exit());
answer({ type: 'ready' });
