/** `node tools/policy-schemas.ts`: writes the JSON Schemas of policies anew; format them with `npm run fix`. A test
 *  fails where they are not current. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaFiles } from '../policies/schema/make.ts';

for (const [name, text] of schemaFiles()) writeFileSync(join('policies/schema', name), text);
