import { ConfabError } from "../errors.ts";
import { isId } from "../ids.ts";
import type { Timestamp } from "../protocol.ts";
import * as store from "../store/sessions.ts";
import { endAccess, requireSession } from "./access.ts";
import type { AuthContext } from "./context.ts";
import type { Principal } from "./principal.ts";
import { MAX_SESSIONS } from "./sign_in.ts";

/** A session as its owner sees it. */
export interface Session {
  id: string;
  /** What the client called itself when it signed in. */
  client: string;
  createdAt: Timestamp;
  /** When it was last refreshed. */
  lastUsedAt: Timestamp;
  expiresAt: Timestamp;
  /** The one that asks. */
  current: boolean;
}

/** Ends the session of `principal`, everywhere; a repeat does no harm. */
export async function logout(auth: AuthContext, principal: Principal): Promise<void> {
  const { session } = requireSession(principal);
  await store.revokeSession(auth.db, session, principal.id);
  endAccess(auth, { session });
}

/** The live sessions of `principal`, the most recently used first; at most MAX_SESSIONS. */
export async function listSessions(auth: AuthContext, principal: Principal): Promise<Session[]> {
  const sessions = await store.listSessions(auth.db, principal.id, MAX_SESSIONS);
  return sessions.map((session) => ({
    id: session.id,
    client: session.client,
    createdAt: session.createdAt.toISOString(),
    lastUsedAt: session.lastUsedAt.toISOString(),
    expiresAt: session.expiresAt.toISOString(),
    current: session.id === principal.session,
  }));
}

/**
 * Ends one of the sessions of `principal`, everywhere.
 *
 * @throws {ConfabError} `not_found` when it is not a live session of theirs
 */
export async function revokeSession(
  auth: AuthContext,
  principal: Principal,
  id: string,
): Promise<void> {
  if (!isId(id) || !await store.revokeSession(auth.db, id, principal.id)) {
    throw new ConfabError("not_found");
  }
  endAccess(auth, { session: id });
}
