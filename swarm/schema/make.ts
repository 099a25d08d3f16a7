/** The JSON Schema of swarm files, for editors, made from the shape that is checked. */
import { z } from 'zod';
import { SwarmShape } from '../file/shape.ts';

/** `node tools/swarm-schema.ts` writes it; a test keeps it current. */
export function swarmSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(SwarmShape, { target: 'draft-2020-12', io: 'input' });
  const head = { $schema, $id: 'https://ringmesh.dev/schema/swarm.schema.json', title: 'A swarm file' };
  return `${JSON.stringify({ ...head, ...schema }, null, 2)}\n`;
}
