/**
 * Whether two byte strings are equal, in a time that depends on their lengths alone. Not
 * `timingSafeEqual` of node:crypto: loading that module takes a third of a cold start.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
