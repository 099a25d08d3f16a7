/** One thing that was looked at: how it is, and what to do where it is not as it should be. */
import { hasCode, messageOf } from '../../../runtime/core/errors.ts';

export type Check = {
  readonly name: string;
  /** `warn`: it runs, and somebody should know. `fail`: it does not. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** Absent where nothing is to be done. */
  readonly remedy?: string;
};

export function ok(name: string, found: string): Check {
  return { name, status: 'ok', found };
}

export function warn(name: string, found: string, remedy: string): Check {
  return { name, status: 'warn', found, remedy };
}

export function fail(name: string, found: string, remedy: string): Check {
  return { name, status: 'fail', found, remedy };
}

/** What looking found; a look that could not be taken is a failed check, so that the others are still made. */
export async function looked(name: string, look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    const remedy =
      hasCode(error) && /^[a-z]+\./.test(error.code) ? `ringmesh explain ${error.code}` : 'see the message';
    return [fail(name, messageOf(error), remedy)];
  }
}
