/** The code behind the cleaner's tools. It runs in the node, never in the agent's process. */
import { provide, systemClock } from 'ringmesh/runtime';
import { deleteOld, findOld } from './contract.ts';
import { checkPlace, countOld, deleteBefore, makeSample } from './records.ts';

export type RecordSettings = {
  /** A database of the user's; empty for the sample. */
  readonly db: string;
  readonly sample: string;
  readonly table: string;
  readonly column: string;
};

export function recordTools({ db, sample, table, column }: RecordSettings) {
  const place = { file: db === '' ? sample : db, table, column };
  if (db === '') makeSample(place, Math.floor(systemClock.now() / 1000));
  checkPlace(place);
  return [
    provide(findOld, ({ before }) => countOld(place, before)),
    provide(deleteOld, ({ before }) => deleteBefore(place, before)),
  ];
}
