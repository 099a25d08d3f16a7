/** Names of packages, as a registry may be asked for them. */
import type { Brand } from 'ringmesh/runtime';

/** `left-pad` or `@scope/left-pad`: at most 214 characters, none of which means anything in a path or an address. */
export type PackageName = Brand<string, 'PackageName'>;

const PART = /^[A-Za-z0-9~*!'()-][A-Za-z0-9~*!'()._-]*$/;
const NAME_LENGTH_MAX = 214;

/** Old packages may have capitals and `~*!'()`; none may begin with a dot or an underscore, so `..` and `__proto__` are
 *  no names. */
export function isPackageName(text: string): text is PackageName {
  if (text.length > NAME_LENGTH_MAX) return false;
  const [first = '', second, ...more] = text.split('/');
  if (more.length > 0) return false;
  if (second === undefined) return PART.test(first);
  return first.startsWith('@') && PART.test(first.slice(1)) && PART.test(second);
}

/** `@scope`, for who keeps a registry per scope. */
export function scopeOf(name: PackageName): string | undefined {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : undefined;
}
