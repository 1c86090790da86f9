import type { Database } from "../database/mod.ts";
import { DEVICE_COLUMNS, deviceOf, type DeviceRow, type StoredDevice } from "./devices.ts";

/** A new claim; its codes are keyed hashes. */
export interface NewClaim {
  id: string;
  deviceHash: string;
  userHash: string;
  name: string | null;
  seconds: number;
}

/** Stores a claim; false when another one that is kept has the same user code. */
export async function createClaim(db: Database, claim: NewClaim): Promise<boolean> {
  const rows = await db.query(
    `insert into device_claims (id, device_hash, user_hash, name, expires_at)
     values ($1, $2, $3, $4, now() + $5::integer * interval '1 second')
     on conflict do nothing returning id`,
    [claim.id, claim.deviceHash, claim.userHash, claim.name, claim.seconds],
  );
  return rows.length > 0;
}

/** What approving came to: `ok`, `duplicate`, or a code; `refused` is the room that says so. */
export interface ApprovedClaim {
  outcome: string;
  device: string | null;
  refused: string | null;
  /** Of the joinings, in the order of the rooms. */
  seqs: number[];
}

/** Makes the device of a claim, in these rooms (in the order of their ids), see `approve_claim`. */
export async function approveClaim(db: Database, approval: {
  userHash: string;
  person: string;
  candidate: string;
  name: string | null;
  fallbackName: string;
  rooms: string[];
  maxDevices: number;
}): Promise<ApprovedClaim> {
  const [row] = await db.query<
    { outcome: string; device: string | null; refused: string | null; seqs: unknown[] | null }
  >(
    `select outcome, device, refused, seqs
     from approve_claim($1, $2, $3, $4, $5, $6::uuid[], $7::integer)`,
    [
      approval.userHash,
      approval.person,
      approval.candidate,
      approval.name,
      approval.fallbackName,
      approval.rooms,
      approval.maxDevices,
    ],
  );
  const { seqs, ...rest } = row!;
  return { ...rest, seqs: (seqs ?? []).map(Number) };
}

/** Spends an approved claim, once: its device; undefined when there is nothing to fetch. */
export async function spendClaim(
  db: Database,
  deviceHash: string,
): Promise<StoredDevice | undefined> {
  const [row] = await db.query<DeviceRow>(
    `update device_claims c set spent_at = now()
     from devices d join principals p on p.id = d.id
     where c.device_hash = $1 and c.device_id = d.id and c.spent_at is null
       and c.expires_at > now() and d.deleted_at is null
     returning ${DEVICE_COLUMNS}`,
    [deviceHash],
  );
  return row && deviceOf(row);
}

/** True while a claim waits for its approval. */
export async function isClaimPending(db: Database, deviceHash: string): Promise<boolean> {
  const rows = await db.query(
    `select from device_claims c
     where c.device_hash = $1 and c.device_id is null and c.expires_at > now()`,
    [deviceHash],
  );
  return rows.length > 0;
}

/** Removes at most `limit` claims that have expired; returns how many. */
export async function deleteExpiredClaims(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    `with gone as (
       delete from device_claims where id in (
         select id from device_claims where expires_at < now() limit $1 for update skip locked)
       returning 1)
     select count(*) as removed from gone`,
    [limit],
  );
  return row!.removed;
}
