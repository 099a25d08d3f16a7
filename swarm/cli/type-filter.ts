/** Whether an event's type is wanted: `orders.placed`, or `orders.*` for all that begin so. No type at all: every one is. */
export function typeFilter(types: readonly string[]): (type: string) => boolean {
  if (types.length === 0) return () => true;
  const exact = new Set(types);
  const prefixes = types.filter((type) => type.endsWith('.*')).map((type) => type.slice(0, -1));
  return (type) => exact.has(type) || prefixes.some((prefix) => type.startsWith(prefix));
}
