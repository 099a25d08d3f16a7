import { mkdtempDisposableSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseVerifierKey } from '../codec/note.ts';
import { unwrap } from '../core/result.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { thisProcess } from '../core/system.ts';
import { fileAnchor } from './anchor.ts';
import { describeEventLog } from './event-log.contract.ts';
import { createLog, openLog } from './log-directory.ts';

describeEventLog('on disk', async () => {
  const clock = new ManualClock();
  const random = seededRandom('contract');
  const folder = mkdtempDisposableSync(join(tmpdir(), 'ringmesh-log-'));
  const [directory, anchors] = [join(folder.path, 'log'), join(folder.path, 'anchors')];
  const { origin, verifierKey } = await createLog(directory, { anchors }, random);
  const anchor = fileAnchor(anchors, origin, unwrap(parseVerifierKey(verifierKey), 'the key of the log'));
  return {
    clock,
    open: () => openLog(directory, { anchors, reserveBytes: 4_096 }, { clock, random, identity: thisProcess() }),
    anchored: () => anchor.read(),
    breakAnchor() {
      renameSync(anchors, `${anchors}.away`);
      writeFileSync(anchors, 'no folder');
      return () => {
        rmSync(anchors);
        renameSync(`${anchors}.away`, anchors);
      };
    },
    editSnapshots(edit) {
      const snapshots = join(directory, 'epoch-0', 'snapshots');
      for (const name of readdirSync(snapshots)) {
        writeFileSync(join(snapshots, name), edit(readFileSync(join(snapshots, name))));
      }
    },
    async [Symbol.asyncDispose]() {
      folder.remove();
    },
  };
});
