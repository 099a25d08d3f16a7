/**
 * What a process did to its disk, from a record of strace, and what a power cut would have left of it.
 *
 * A write is durable once a sync of its file that began after it has returned, or at once when its descriptor was opened
 * with O_DSYNC. What is not durable may be on the disk or not, sector by sector, in any combination.
 */
import { Buffer } from 'node:buffer';
import type { Random } from '../core/random.ts';

export const TRACE_FLAGS = [
  ...['-f', '-y', '-v', '-xx', '-s', '1000000', '-e', 'signal=none'],
  ...['-e', 'trace=openat,lseek,write,writev,pwrite64,pwritev,fdatasync,fsync,rename'],
] as const;

type Step = { readonly began: number; readonly ended: number };
export type DiskStep =
  | (Step & {
      readonly type: 'write';
      readonly path: string;
      readonly offset: number;
      readonly bytes: Buffer;
      readonly isSync: boolean;
    })
  | (Step & { readonly type: 'sync'; readonly path: string })
  | (Step & { readonly type: 'rename'; readonly from: string; readonly path: string })
  | (Step & { readonly type: 'said'; readonly line: string });

/** The steps of a trace below `folder`, in the order in which they began. Moments are lines of the trace. */
export function parseTrace(trace: string, folder: string): readonly DiskStep[] {
  const steps: DiskStep[] = [];
  const open = new Map<string, { readonly text: string; readonly began: number }>();
  const isSync = new Map<string, boolean>(); // by process and descriptor
  const position = new Map<string, number>(); // by descriptor
  for (const [moment, line] of trace.split('\n').entries()) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) {
      open.set(pid, { text: rest.slice(0, -'<unfinished ...>'.length), began: moment });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const { text, began } = (resumed === undefined ? undefined : open.get(pid)) ?? { text: '', began: moment };
    const [, call, args = '', result] =
      /^(\w+)\((.*)\) += (-?\d+)/s.exec(resumed === undefined ? rest : text + resumed) ?? [];
    if (call === undefined || Number(result) < 0) continue;
    const step = { began, ended: moment };
    if (call === 'openat') {
      isSync.set(result ?? '', args.includes('O_DSYNC'));
      position.delete(result ?? '');
      continue;
    }
    if (call === 'rename') {
      const [from = '', path = ''] = strings(args);
      steps.push({ type: 'rename', from, path, ...step });
      continue;
    }
    const [, descriptor = '', name = ''] = /^(\d+)<([^>]*)>/.exec(args) ?? [];
    const path = unhex(name);
    if (call === 'lseek') position.set(descriptor, Number(result));
    if ((call === 'fdatasync' || call === 'fsync') && path.startsWith(folder))
      steps.push({ type: 'sync', path, ...step });
    if (!call.includes('write') || !(path.startsWith(folder) || descriptor === '1')) continue;
    const bytes = Buffer.concat(strings(args.slice(args.indexOf('>'))).map((part) => Buffer.from(part, 'latin1')));
    if (descriptor === '1' && call === 'write') {
      steps.push({ type: 'said', line: bytes.toString().trimEnd(), ...step });
      continue;
    }
    const isPositioned = call.startsWith('p');
    const offset = isPositioned ? Number(/, (\d+)$/.exec(args)?.[1]) : (position.get(descriptor) ?? 0);
    if (!isPositioned) position.set(descriptor, offset + bytes.length);
    steps.push({ type: 'write', path, offset, bytes, isSync: isSync.get(descriptor) === true, ...step });
  }
  return steps.sort((a, b) => a.began - b.began);
}

/** From which moment on each write was on the disk for certain; never, for some. */
export function durableFrom(steps: readonly DiskStep[]): ReadonlyMap<DiskStep, number> {
  const from = new Map<DiskStep, number>();
  for (const [n, write] of steps.entries()) {
    if (write.type !== 'write') continue;
    const isCovering = (step: DiskStep): boolean =>
      step.type === 'sync' && step.path === write.path && step.began > write.ended;
    const covering = write.isSync ? write : steps.slice(n).find(isCovering);
    if (covering !== undefined) from.set(write, covering.ended + 1);
  }
  return from;
}

/** The content of a file after the power went at `moment`: what was durable, and of the rest what `random` picks. Without
 *  `random`, none of the rest. */
export function afterPowerCut(
  base: Uint8Array,
  writes: ReadonlyMap<DiskStep & { readonly type: 'write' }, number | undefined>,
  moment: number,
  random?: Random,
): Buffer {
  let image = Buffer.from(base);
  for (const [{ offset, bytes, began }, durable = Number.POSITIVE_INFINITY] of writes) {
    if (began >= moment) break;
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
      if (durable <= moment || random?.below(2) === 0) {
        if (image.length < offset + end) image = Buffer.concat([image, Buffer.alloc(offset + end - image.length)]);
        bytes.copy(image, offset + at, at, end);
      }
      at = end;
    }
  }
  return image;
}

const SECTOR_BYTES = 512;

/** Every quoted string, unescaped, one byte per character. */
function strings(args: string): readonly string[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => unhex(text));
}

function unhex(text: string): string {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex').toString('latin1');
}
