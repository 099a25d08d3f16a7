/** `node tools/swarm-schema.ts`: writes the JSON Schema of swarm files anew; format it with `npm run fix`. */
import { writeFileSync } from 'node:fs';
import { swarmSchema } from '../swarm/schema/make.ts';

writeFileSync('swarm/schema/swarm.schema.json', swarmSchema());
