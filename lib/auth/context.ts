import type { Revocation } from "../bus/mod.ts";
import type { Database } from "../database/mod.ts";
import type { Limits } from "../limits/mod.ts";
import type { Keys } from "./keys.ts";
import { createPasswords, type Passwords } from "./passwords.ts";
import { Revocations } from "./revocations.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** What the actions of this folder work with. Disposing it ends the password hasher. */
export interface AuthContext extends Disposable {
  db: Database;
  tokens: Tokens;
  passwords: Passwords;
  limits: Limits;
  /** Attempts to log in per username, and ten times that per address. */
  loginsPerMinute: number;
  /** Access that ended before its tokens, as far as this process knows. */
  revocations: Revocations;
  /** Makes and reads refresh tokens. */
  refreshKey: CryptoKey;
  /** Tells every node that access has ended. Must not throw. */
  revoke(revocation: Revocation): void;
}

/** What createAuth() puts together. */
export interface AuthOptions {
  db: Database;
  keys: Keys;
  /** `iss` of all tokens: the public URL, or `confab` where there is none. */
  issuer: string;
  limits: Limits;
  loginsPerMinute: number;
  /** The bus's `revoke`. */
  revoke(revocation: Revocation): void;
  /** argon2id when absent. */
  passwords?: Passwords;
  /** Unix milliseconds; Date.now when absent. Sessions go by the database's clock. */
  clock?: () => number;
}

/** Makes the context of all authentication actions. */
export function createAuth(options: AuthOptions): AuthContext {
  const { keys, issuer, clock } = options;
  const passwords = options.passwords ?? createPasswords();
  return {
    db: options.db,
    tokens: createTokens({ keys, issuer, ...(clock === undefined ? {} : { clock }) }),
    passwords,
    limits: options.limits,
    loginsPerMinute: options.loginsPerMinute,
    revocations: new Revocations(),
    refreshKey: keys.refreshKey,
    revoke: (revocation) => options.revoke(revocation),
    [Symbol.dispose]: () => passwords[Symbol.dispose](),
  };
}
