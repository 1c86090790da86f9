import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { createAccount, createSession, type NewSession } from "../store/new_sessions.ts";
import { readPasswordHash, type StoredAccount } from "../store/principals.ts";
import { rotateSession } from "../store/session_rotation.ts";
import { clientName, isName, isPassword, requireFit, USERNAME } from "./account_rules.ts";
import { type Account, accountOf } from "./accounts.ts";
import type { AuthContext } from "./context.ts";
import { hashRefreshToken, newRefreshToken, readRefreshToken } from "./refresh_tokens.ts";
import { endAccess } from "./access.ts";
import { ACCESS_SECONDS } from "./tokens.ts";

/** The answer to register, login, guest and refresh. */
export interface SignInResult {
  user: Account;
  accessToken: string;
  refreshToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
}

/** Where a request comes from, as the transport knows it. */
export interface Caller {
  /** What throttling counts by: an IPv4 address, or the /64 of an IPv6 one. */
  address: string;
  /** What the client calls itself (`User-Agent`), shown in the list of sessions. */
  client: string;
}

/** Live sessions of one account; beyond, the least recently used are revoked. */
export const MAX_SESSIONS = 100;

/**
 * Makes an account and signs it in. Throttled per address: ten times `loginsPerMinute`.
 *
 * @throws {ConfabError} `username_taken`, `invalid_request`, `rate_limited`, `overloaded`
 */
export async function register(
  auth: AuthContext,
  input: { username: string; password: string; displayName?: string },
  caller: Caller,
): Promise<SignInResult> {
  const { username, password, displayName = username } = input;
  requireFit("username", USERNAME.test(username));
  requireFit("password", isPassword(password));
  requireFit("displayName", isName(displayName));
  await throttle(auth, `register:${caller.address}`, 10 * auth.loginsPerMinute);
  const passwordHash = await auth.passwords.hash(password);
  const { session, refreshToken } = await newSession(auth, caller);
  const person = { id: newId(), kind: "user" as const, username, name: displayName, passwordHash };
  const account = await createAccount(auth.db, person, session);
  if (account === undefined) throw new ConfabError("username_taken");
  return await signedIn(auth, account, session.id, refreshToken);
}

/**
 * Signs in. Throttled per address (ten times `loginsPerMinute`) and per username; a name that
 * nobody has costs the same time and gets the same answer as a wrong password.
 *
 * @throws {ConfabError} `invalid_credentials`, `rate_limited`, `overloaded`
 */
export async function login(
  auth: AuthContext,
  { username, password }: { username: string; password: string },
  caller: Caller,
): Promise<SignInResult> {
  const known = USERNAME.test(username);
  await throttle(auth, `login:${caller.address}`, 10 * auth.loginsPerMinute);
  if (known) await throttle(auth, `login-as:${username.toLowerCase()}`, auth.loginsPerMinute);
  const stored = known ? await readPasswordHash(auth.db, username) : undefined;
  const valid = await auth.passwords.verify(password, stored?.hash);
  if (!valid || stored === undefined) throw new ConfabError("invalid_credentials");
  const { session, refreshToken } = await newSession(auth, caller);
  const made = await createSession(auth.db, stored.principal, session, MAX_SESSIONS);
  if (made === undefined) throw new ConfabError("invalid_credentials");
  for (const ended of made.ended) endAccess(auth, { session: ended });
  return await signedIn(auth, made.account, session.id, refreshToken);
}

/**
 * Makes a guest: an account without a password, for as long as its session lives. Throttled per
 * address like register().
 *
 * @throws {ConfabError} `invalid_request`, `rate_limited`
 */
export async function guest(
  auth: AuthContext,
  { displayName }: { displayName?: string },
  caller: Caller,
): Promise<SignInResult> {
  requireFit("displayName", displayName === undefined || isName(displayName));
  await throttle(auth, `guest:${caller.address}`, 10 * auth.loginsPerMinute);
  const id = newId();
  const name = displayName ?? `Guest ${id.slice(-6)}`;
  const { session, refreshToken } = await newSession(auth, caller);
  const person = { id, kind: "guest" as const, username: null, name, passwordHash: null };
  const account = await createAccount(auth.db, person, session);
  if (account === undefined) throw new ConfabError("internal");
  return await signedIn(auth, account, session.id, refreshToken);
}

/**
 * Exchanges a refresh token for a new pair. The same token may be repeated for 10 s, because an
 * answer can get lost and tabs refresh at once: every repeat gets the same new refresh token.
 * Later, an old token is taken for a stolen one: the session is revoked everywhere.
 *
 * @throws {ConfabError} `refresh_invalid`, `refresh_reused`, `session_revoked`
 */
export async function refresh(
  auth: AuthContext,
  { refreshToken }: { refreshToken: string },
): Promise<SignInResult> {
  const token = await readRefreshToken(auth.refreshKey, refreshToken);
  if (token === undefined) throw new ConfabError("refresh_invalid");
  const { session, hash, authentic, next } = token;
  const nextHash = await hashRefreshToken(next);
  const { outcome, account } = await rotateSession(auth.db, session, { hash, nextHash, authentic });
  if (outcome === "refresh_reused") endAccess(auth, { session });
  if (outcome === "rotated" || outcome === "repeated") {
    return await signedIn(auth, account!, session, next);
  }
  throw new ConfabError(outcome);
}

async function throttle(auth: AuthContext, key: string, perMinute: number): Promise<void> {
  const rate = { perSecond: perMinute / 60, burst: perMinute };
  const { granted, retryAfter } = await auth.limits.take(key, rate);
  if (!granted) throw new ConfabError("rate_limited", "Too many attempts", { retryAfter });
}

async function newSession(
  auth: AuthContext,
  caller: Caller,
): Promise<{ session: NewSession; refreshToken: string }> {
  const id = newId();
  const refreshToken = await newRefreshToken(auth.refreshKey, id);
  const refreshHash = await hashRefreshToken(refreshToken);
  return { session: { id, refreshHash, client: clientName(caller.client) }, refreshToken };
}

async function signedIn(
  auth: AuthContext,
  account: StoredAccount,
  session: string,
  refreshToken: string,
): Promise<SignInResult> {
  const { id, kind, name, role } = account;
  const accessToken = await auth.tokens.signAccess({ id, kind, name, role, session });
  return { user: accountOf(account), accessToken, refreshToken, expiresIn: ACCESS_SECONDS };
}
