/** `npm run build`: dist/ from nothing, JavaScript with declarations. Exits as the compiler does. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
process.exitCode = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' }).status ?? 1;
