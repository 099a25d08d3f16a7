import type { Buffer } from 'node:buffer';

/** The records of a run, as far as their lengths lead, and why they lead no further. */
export function unbundle(bytes: Buffer): { readonly records: readonly Buffer[]; readonly fault?: string } {
  const records: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + 2;
    const end = start > bytes.length ? Number.POSITIVE_INFINITY : start + bytes.readUInt16BE(offset);
    if (end > bytes.length) return { records, fault: `expected a whole record, found ${bytes.length - offset} bytes` };
    records.push(bytes.subarray(start, end));
    offset = end;
  }
  return records.length > 0 ? { records } : { records, fault: 'expected a run of records, found an empty value' };
}
