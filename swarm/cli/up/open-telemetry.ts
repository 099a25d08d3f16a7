/** Spans, where the command line or the environment asks for them. */
import { CodedError, hasCode, messageOf } from '../../../runtime/core/errors.ts';
import type { SwarmFile } from '../../file/swarm-file.ts';
import { isTelemetryAsked, Telemetry } from '../../telemetry/telemetry.ts';
import type { Shell } from '../shell.ts';

/** Variables that somebody sets for every process are no reason not to start: without the SDK there is a note.
 *  @throws `telemetry.sdk_missing` where `--otel` asks */
export async function openTelemetry(
  { env, notes }: Shell,
  { folder, realm }: Pick<SwarmFile, 'folder' | 'realm'>,
  { otel = false, role }: { readonly otel?: boolean | undefined; readonly role: string | null },
): Promise<Telemetry | undefined> {
  if (!otel && !isTelemetryAsked(env)) return undefined;
  try {
    const name = role === null ? realm : `${realm}-${role}`;
    return await Telemetry.load(folder, env['OTEL_SERVICE_NAME'] ?? name);
  } catch (error) {
    if (otel || !(error instanceof CodedError) || !hasCode(error, 'telemetry.sdk_missing')) throw error;
    await notes.write(`no spans ${messageOf(error)}\n`);
    return undefined;
  }
}
