import { decodeCursor, type List, listOf } from "../lists.ts";
import { ConfabError } from "../errors.ts";
import { isId } from "../ids.ts";
import type { GlobalRole, Metadata, PrincipalId, PublicPrincipal, Timestamp } from "../protocol.ts";
import { isStorable } from "../schemas.ts";
import * as store from "../store/principals.ts";
import { endAccess } from "./access.ts";
import { isName, requireFit } from "./account_rules.ts";
import type { AuthContext } from "./context.ts";
import type { Principal } from "./principal.ts";

/** A user or guest as everybody may see them. */
export interface PublicUser extends PublicPrincipal {
  /** Guests have none. */
  username?: string;
  metadata: Metadata;
}

/** A user or guest as they see themselves. */
export interface Account extends PublicUser {
  role: GlobalRole;
  createdAt: Timestamp;
}

/** What remains as the sender of the messages of a deleted account. */
const DELETED_NAME = "Deleted account";
const LEAVE_TRIES = 10;

/** Renders a stored account. */
export function accountOf({ createdAt, ...account }: store.StoredAccount): Account {
  return { ...account, createdAt: createdAt.toISOString() };
}

/** The account of `principal` as it is now. Throws `session_revoked` when it is disabled. */
export async function me(auth: AuthContext, principal: Principal): Promise<Account> {
  return live(await store.readAccount(auth.db, principal.id));
}

/**
 * Changes what is given. `metadata` replaces the former object. Tokens that exist keep the former
 * name until they expire; messages show the new one at once.
 *
 * @throws {ConfabError} `invalid_request`, `session_revoked`
 */
export async function updateMe(
  auth: AuthContext,
  principal: Principal,
  change: { displayName?: string; metadata?: Metadata },
): Promise<Account> {
  const { displayName, metadata } = change;
  requireFit("displayName", displayName === undefined || isName(displayName));
  const json = metadata === undefined ? null : JSON.stringify(metadata);
  return live(await store.updateAccount(auth.db, principal.id, displayName ?? null, json));
}

/**
 * Deletes the account of `principal`: its sessions end everywhere, and what says who it was is
 * erased. The username is free again, which is safe because nothing is ever granted to a username:
 * messages and memberships hang on the id, which stays, with the name "Deleted account". `leave`
 * takes the account out of its rooms and ends its devices; it is called again when a device was
 * made meanwhile. A repeat does nothing.
 *
 * @throws {ConfabError} `overloaded` when devices are made all the time
 */
export async function deleteMe(
  auth: AuthContext,
  principal: Principal,
  leave: () => Promise<void>,
): Promise<void> {
  for (let tries = 0; tries < LEAVE_TRIES; tries++) {
    await leave();
    const { erased, hasDevices } = await store.eraseAccount(auth.db, principal.id, DELETED_NAME);
    if (erased) endAccess(auth, { principal: principal.id });
    if (erased || !hasDevices) return;
  }
  throw new ConfabError("overloaded", "Devices are made while the account is deleted");
}

/** Users whose name or username begins with `q`, in the order of their names. Guests are not found. */
export async function searchUsers(
  auth: AuthContext,
  q: string,
  page: { limit: number; cursor?: string },
): Promise<List<PublicUser>> {
  requireFit("q", isStorable(q) && q.length <= 200);
  const [name, id] = page.cursor === undefined ? [] : decodeCursor(page.cursor, 2);
  if (name !== undefined && !isStorable(name)) throw new ConfabError("invalid_cursor");
  const after = name === undefined ? undefined : { name, id: id! };
  const users = await store.findUsers(auth.db, q, after, page.limit + 1);
  return listOf<PublicUser>(users, page.limit, (user) => [user.name, user.id]);
}

/** A user or guest by id. Throws `not_found`, also for devices and disabled accounts. */
export async function getUser(auth: AuthContext, id: PrincipalId): Promise<PublicUser> {
  const person = isId(id) ? await store.readPerson(auth.db, id) : undefined;
  if (person === undefined) throw new ConfabError("not_found");
  return person;
}

function live(account: store.StoredAccount | undefined): Account {
  if (account === undefined) throw new ConfabError("session_revoked");
  return accountOf(account);
}
