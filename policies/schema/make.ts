/** The JSON Schemas that editors and other languages use, made from the shapes that are checked. */
import { z } from 'zod';
import { PublishedShape } from '../document/shape.ts';
import { TableShape } from '../table/table.ts';

const BASE = 'https://ringmesh.dev/schema/';

/** File name to text. `node tools/policy-schemas.ts` writes them; a test keeps them current. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['policy.schema.json', textOf('policy', 'A policy document', PublishedShape)],
    ['policy-test.schema.json', textOf('policy-test', 'A table of tests for policies', TableShape)],
  ]);
}

function textOf(name: string, title: string, shape: z.ZodType): string {
  const { $schema, ...schema } = z.toJSONSchema(shape, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify({ $schema, $id: `${BASE}${name}.schema.json`, title, ...schema }, null, 2)}\n`;
}
