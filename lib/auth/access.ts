import type { Revocation } from "../bus/mod.ts";
import { ConfabError } from "../errors.ts";
import type { GlobalRole } from "../protocol.ts";
import { revokedSince } from "../store/revocations.ts";
import { readLiveSession } from "../store/sessions.ts";
import { useTicket } from "../store/tickets.ts";
import type { AuthContext } from "./context.ts";
import type { Principal } from "./principal.ts";
import { KEPT_SECONDS } from "./revocations.ts";
import { AUDIENCE, type SignedIn, TICKET_SECONDS } from "./tokens.ts";

/**
 * Who a bearer token stands for. The database is not asked: that access ended early is known from
 * noteRevocation() and syncRevocations(), on other nodes than the one that ended it with the delay
 * of the bus, or of one beacon when the bus is away, and never later than the token's end.
 *
 * @throws {ConfabError} `token_expired`, `token_invalid`, `session_revoked`
 */
export async function authenticate(auth: AuthContext, token: string): Promise<SignedIn> {
  const access = await auth.tokens.verifyAccess(token);
  if (auth.revocations.has(access)) throw new ConfabError("session_revoked");
  return access.principal;
}

/** Takes note of access that ended: what the bus tells goes here. */
export function noteRevocation(auth: AuthContext, revocation: Revocation): void {
  auth.revocations.note(revocation, auth.tokens.now());
}

/** Ends access here at once and tells every node. */
export function endAccess(auth: AuthContext, revocation: Revocation): void {
  noteRevocation(auth, revocation);
  auth.revoke(revocation);
}

/** Revocations of each sort that one sync reads; more within 15 minutes are left to the bus. */
const SYNC_LIMIT = 10_000;

/**
 * Learns from the database what was revoked in the last `seconds` (all that still matters when
 * absent): at the start of a node, on its beacon, and after the bus was away. Throws DatabaseError.
 */
export async function syncRevocations(auth: AuthContext, seconds = KEPT_SECONDS): Promise<void> {
  const { sessions, principals } = await revokedSince(
    auth.db,
    Math.min(seconds, KEPT_SECONDS),
    SYNC_LIMIT,
  );
  // Newest first, and the oldest noted is the first to be forgotten.
  for (const session of sessions.reverse()) noteRevocation(auth, { session });
  for (const principal of principals.reverse()) noteRevocation(auth, { principal });
}

/**
 * A ticket for one connection, for clients that cannot send a header. What it opens ends with the
 * access token of `principal`.
 *
 * @throws {ConfabError} `forbidden` for principals without a session
 */
export async function issueTicket(
  auth: AuthContext,
  principal: Principal,
): Promise<{ ticket: string; expiresIn: number }> {
  const ticket = await auth.tokens.signTicket(requireSession(principal));
  return { ticket, expiresIn: TICKET_SECONDS };
}

/**
 * Who a ticket stands for; it can be used once, which the database records.
 *
 * @throws {ConfabError} `ticket_invalid`: expired, used, not ours, or its session has ended
 */
export async function redeemTicket(auth: AuthContext, ticket: string): Promise<SignedIn> {
  const { id, principal, refusedAfter } = await auth.tokens.verifyTicket(ticket);
  // A minute more for the difference between the clocks of database and nodes.
  const keptUntil = new Date(refusedAfter + 60_000);
  if (!await useTicket(auth.db, id, principal.session, principal.id, keptUntil)) {
    throw new ConfabError("ticket_invalid");
  }
  return principal;
}

/** What RFC 7662 calls the introspection response; `exp` and `iat` are in Unix seconds. */
export type Introspection = { active: false } | {
  active: true;
  sub: string;
  sid: string;
  role: GlobalRole;
  username?: string;
  client_id: string;
  exp: number;
  iat: number;
  token_type: "Bearer";
};

/** Whether an access token is good at this moment, as the database says. Throws DatabaseError. */
export async function introspect(auth: AuthContext, token: string): Promise<Introspection> {
  let access;
  try {
    access = await auth.tokens.verifyAccess(token);
  } catch (error) {
    if (error instanceof ConfabError) return { active: false };
    throw error;
  }
  const { id, session, role, expiresAt } = access.principal;
  const account = await readLiveSession(auth.db, session, id);
  if (account === undefined) return { active: false };
  return {
    active: true,
    sub: id,
    sid: session,
    role,
    ...(account.username === undefined ? {} : { username: account.username }),
    client_id: AUDIENCE,
    exp: expiresAt / 1000,
    iat: access.issuedAt / 1000,
    token_type: "Bearer",
  };
}

/** @throws {ConfabError} `forbidden` for principals that did not come with a token */
export function requireSession(principal: Principal): SignedIn {
  const { session, expiresAt } = principal;
  if (session === undefined || expiresAt === undefined) throw new ConfabError("forbidden");
  return { ...principal, session, expiresAt };
}
