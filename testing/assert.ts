/**
 * The assertions of `@std/assert` that the tests use, over `node:assert/strict`.
 * The import map names this file `@std/assert`, so that one line there switches to the real package.
 */
import assertStrict from "node:assert/strict";

// `message as string`: under exactOptionalPropertyTypes Node's types refuse an absent message,
// which means none to Node itself.

/** Fails unless `value` is truthy. */
export function assert(value: unknown, message?: string): asserts value {
  assertStrict.ok(value, message as string);
}

/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  assertStrict.deepEqual(actual, expected, message as string);
}

/** Fails when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  assertStrict.notDeepEqual(actual, expected, message as string);
}

/** Fails unless `actual` matches. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  assertStrict.match(actual, expected, message as string);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  assertStrict.ok(
    actual.includes(expected),
    message ?? `"${actual}" does not include "${expected}"`,
  );
}

// deno-lint-ignore no-explicit-any -- the signature of @std/assert
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Fails unless `fn` rejects with an error of `type` whose message includes `includes`; returns it. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  type?: ErrorClass<E>,
  includes?: string,
): Promise<E> {
  let error: unknown;
  try {
    await fn();
  } catch (caught) {
    error = caught;
  }
  return checkError(error, type, includes);
}

/** Fails unless `fn` throws an error of `type` whose message includes `includes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  type?: ErrorClass<E>,
  includes?: string,
): E {
  let error: unknown;
  try {
    fn();
  } catch (caught) {
    error = caught;
  }
  return checkError(error, type, includes);
}

function checkError<E extends Error>(error: unknown, type?: ErrorClass<E>, includes?: string): E {
  assertStrict.ok(error instanceof (type ?? Error), `Expected an error, got ${String(error)}`);
  if (includes !== undefined) assertStringIncludes((error as Error).message, includes);
  return error as E;
}
