/** A `T` that only its own parser makes: two brands over one representation cannot be confused. */
export type Brand<T, B extends string> = T & { readonly [brand]: B };
declare const brand: unique symbol;

/** Wall-clock milliseconds since 1970-01-01 UTC, an integer. */
export type Millis = Brand<number, 'Millis'>;
