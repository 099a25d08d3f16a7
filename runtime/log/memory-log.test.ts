import { CodedError } from '../core/errors.ts';
import { ManualClock, seededRandom } from '../core/simulation.ts';
import { describeEventLog } from './event-log.contract.ts';
import { MemoryWorld } from './memory-log.ts';

describeEventLog('in memory', async () => {
  const clock = new ManualClock();
  const world = new MemoryWorld(seededRandom('contract'));
  return {
    clock,
    open: async () => (await world.open(clock)).log,
    anchored: () => world.anchor.read(),
    breakAnchor() {
      const { advance } = world.anchor;
      world.anchor.advance = () => Promise.reject(new CodedError('anchor.unreachable', 'the anchor is out of reach'));
      return () => {
        world.anchor.advance = advance;
      };
    },
    editSnapshots(edit) {
      for (const [name, bytes] of world.disk.snapshots) world.disk.snapshots.set(name, edit(bytes));
    },
    async [Symbol.asyncDispose]() {},
  };
});
