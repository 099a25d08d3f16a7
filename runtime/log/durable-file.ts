/** Small files that must be there after a power cut: content and name are both flushed before anyone relies on them. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Old content or new, never a mixture, and the new one on disk when it resolves. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const next = `${path}.next`;
  const file = await open(next, 'w', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable: those made, renamed and removed. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
