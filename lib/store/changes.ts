import type { Database } from "../database/mod.ts";

/** What a change came to: `ok`, `duplicate` (nothing to do, `seq` says where it happened), or a code. */
export interface ChangeOutcome {
  outcome: string;
  seq: number | null;
  /** The first entry, where there are several up to `seq`. */
  first?: number;
}

type OutcomeRow = ChangeOutcome & Record<string, unknown>;

async function one(rows: Promise<OutcomeRow[]>): Promise<ChangeOutcome> {
  const row = (await rows)[0]!;
  return { outcome: row.outcome, seq: row.seq };
}

/** Edits or (`remove`) deletes a message, see `change_message` of the schema. */
export function changeMessage(db: Database, change: {
  room: string;
  actor: string;
  target: number;
  remove: boolean;
  text: string | null;
  data: string | null;
  metadata: string | null;
  clientId: string | null;
  hash: string | null;
}): Promise<ChangeOutcome> {
  return one(db.query<OutcomeRow>(
    `select outcome, seq from change_message(
       $1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9::uuid)`,
    [
      change.room,
      change.actor,
      change.target,
      change.remove,
      change.text,
      change.data,
      change.metadata,
      change.clientId,
      change.hash,
    ],
  ));
}

/**
 * Joins (`role` null and actor = subject), adds, or changes a role, see `put_member`. What a person
 * speaks MQTT with is nobody's member.
 */
export function putMember(
  db: Database,
  room: string,
  actor: string,
  subject: string,
  role: string | null,
): Promise<ChangeOutcome> {
  return one(db.query<OutcomeRow>(
    `select coalesce(done.outcome, 'not_found') as outcome, done.seq from (select) as always
     left join lateral (
       select p.outcome, p.seq from put_member($1, $2, $3, $4) p
       where not exists (select 1 from devices d where d.id = $3 and d.personal)) done on true`,
    [room, actor, subject, role],
  ));
}

/** Leaves (actor = subject) or removes, see `delete_member`. */
export async function deleteMember(
  db: Database,
  room: string,
  actor: string,
  subject: string,
): Promise<ChangeOutcome> {
  const rows = await db.query<{ outcome: string; seq: number | null; first: number | null }>(
    `select outcome, seq, first from delete_member($1, $2, $3)`,
    [room, actor, subject],
  );
  const { first, ...done } = rows[0]!;
  return first === null ? done : { ...done, first };
}

/** Changes the settings that are not null, see `update_room`. */
export function updateRoom(db: Database, room: string, actor: string, settings: {
  name: string | null;
  topic: string | null;
  visibility: string | null;
  metadata: string | null;
}): Promise<ChangeOutcome> {
  return one(db.query<OutcomeRow>(
    `select outcome, seq from update_room($1, $2, $3, $4, $5, $6::jsonb)`,
    [room, actor, settings.name, settings.topic, settings.visibility, settings.metadata],
  ));
}
