import type { Database, Row } from "../database/mod.ts";

/** A command on its way to a device; `args` is JSON text. */
export interface CommandInput {
  id: string;
  room: string;
  sender: string;
  device: string;
  name: string;
  args: string;
  timeoutSeconds: number;
  confirmed: boolean;
  /** The command as one would type it. */
  text: string;
  clientId: string;
  /** In the form of a UUID. */
  hash: string;
}

/** Stores a command as a message of its sender, see `send_command` of the schema. */
export async function sendCommand(
  db: Database,
  input: CommandInput,
  maxOpen: number,
): Promise<{ outcome: string; seq: number | null }> {
  const rows = await db.query<{ outcome: string; seq: number | null }>(
    `select outcome, seq from send_command(
       $1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11::uuid, $12)`,
    [
      input.room,
      input.sender,
      input.device,
      input.id,
      input.name,
      input.args,
      input.timeoutSeconds,
      input.confirmed,
      input.text,
      input.clientId,
      input.hash,
      maxOpen,
    ],
  );
  return rows[0]!;
}

/** What a device's answer came to; `told` is the entry that tells of the command, when it is new. */
export interface AnswerOutcome extends Row {
  outcome: string;
  room: string | null;
  seq: number | null;
  at: Date | null;
  told: number | null;
}

/** Stores a device's answer to a command, see `answer_command`; `data` and `attachments` are JSON text. */
export async function answerCommand(db: Database, answer: {
  command: string;
  device: string;
  ok: boolean;
  text: string | null;
  data: string | null;
  attachments: string | null;
}): Promise<AnswerOutcome> {
  const { command, device, ok, text, data, attachments } = answer;
  const rows = await db.query<AnswerOutcome>(
    `select outcome, room, seq, moment as at, told
     from answer_command($1, $2, $3, $4, $5::jsonb, $6::jsonb)`,
    [command, device, ok, text, data, attachments],
  );
  return rows[0]!;
}

/** Takes a command back, see `cancel_command`. */
export async function cancelCommand(
  db: Database,
  room: string,
  actor: string,
  command: string,
): Promise<{ outcome: string; seq: number | null; told: number | null }> {
  const rows = await db.query<{ outcome: string; seq: number | null; told: number | null }>(
    `select outcome, seq, told from cancel_command($1, $2, $3)`,
    [room, actor, command],
  );
  return rows[0]!;
}

/** Rooms with commands that nobody answered in time, those that have waited longest first. */
export async function roomsWithDueCommands(db: Database, limit: number): Promise<string[]> {
  const rows = await db.query<{ room_id: string }>(
    `select c.room_id from commands c
     where c.status = 'queued' and c.expires_at <= clock_timestamp()
     group by c.room_id order by min(c.expires_at) limit $1`,
    [limit],
  );
  return rows.map((row) => row.room_id);
}

/** Settles a room's commands that nobody answered in time; the seqs of the entries that tell so. */
export async function expireCommands(db: Database, room: string, limit: number): Promise<number[]> {
  const rows = await db.query<{ seq: number }>(
    `select seq from expire_commands($1, $2) seq order by seq`,
    [room, limit],
  );
  return rows.map((row) => row.seq);
}
