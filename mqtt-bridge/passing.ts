import { ConfabError, type ErrorCode } from "../lib/errors.ts";

/** Failures that may pass by themselves: what a device said is tried again, not refused. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "overloaded",
  "restarting",
  "outcome_unknown",
]);
const TRIES_OF_INTERNAL = 3;
const TRIES_AT_QOS_0 = 5;

/** True when what failed for the `tries`th time with `error` should be tried once more. */
export function mayPass(error: unknown, qos: number, tries: number): boolean {
  if (qos === 0 && tries >= TRIES_AT_QOS_0) return false;
  if (isInternal(error)) return tries < TRIES_OF_INTERNAL;
  return PASSING.has((error as ConfabError).code);
}

/** True for a failure that nobody foresaw. */
export function isInternal(error: unknown): boolean {
  return !(error instanceof ConfabError) || error.code === "internal";
}
