/** A package as a lock has it, about which there is nothing to say but what a test says. */
import type { LockedPackage } from './lock-file.ts';

export function locked(over: Partial<LockedPackage> & Pick<LockedPackage, 'name' | 'version'>): LockedPackage {
  return {
    path: `node_modules/${over.name}`,
    alias: null,
    integrity: `sha512-${'A'.repeat(86)}==`,
    resolved: null,
    licence: 'MIT',
    isDev: false,
    isOptional: false,
    isBundled: false,
    hasInstallScript: false,
    ...over,
  };
}
