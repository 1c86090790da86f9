import { type AuthContext, type AuthOptions, createAuth } from "../lib/auth/context.ts";
import { generateKeys, loadKeys } from "../lib/auth/keys.ts";
import type { Passwords } from "../lib/auth/passwords.ts";
import type { Caller } from "../lib/auth/sign_in.ts";
import type { Revocation } from "../lib/bus/mod.ts";
import type { Database } from "../lib/database/mod.ts";
import type { Limits } from "../lib/limits/mod.ts";

/** A caller for tests that do not care. */
export const CALLER: Caller = { address: "192.0.2.1", client: "test" };

/** Limits that grant everything and remember the keys that were asked. */
export function openLimits(): Limits & { keys: string[] } {
  const keys: string[] = [];
  return {
    keys,
    take: (key) => {
      keys.push(key);
      return Promise.resolve({ granted: true, retryAfter: 0 });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A hasher that costs nothing and remembers what it compared with (`undefined`: a stand-in). */
export function cheapPasswords(): Passwords & { verified: (string | undefined)[] } {
  const verified: (string | undefined)[] = [];
  return {
    verified,
    hash: (password) => Promise.resolve(`cheap:${password}`),
    verify: (password, phc) => {
      verified.push(phc);
      return Promise.resolve(phc === `cheap:${password}`);
    },
    [Symbol.dispose]() {},
  };
}

/** An authentication context on `db` with keys of its own, and what it told the bus. */
export async function testAuth(
  db: Database,
  options: Partial<AuthOptions> = {},
): Promise<AuthContext & { told: Revocation[] }> {
  const told: Revocation[] = [];
  const auth = createAuth({
    db,
    keys: options.keys ?? await loadKeys(await generateKeys()),
    issuer: "confab",
    limits: openLimits(),
    loginsPerMinute: 10,
    revoke: (revocation) => told.push(revocation),
    passwords: cheapPasswords(),
    ...options,
  });
  return Object.assign(auth, { told });
}

/** A username that no other test uses. */
export function newUsername(): string {
  return `u-${crypto.randomUUID().slice(0, 23)}`;
}
