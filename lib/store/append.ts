import type { Database } from "../database/mod.ts";

/** One send of a batch; `data`, `metadata` and `attachments` are JSON texts. */
export interface AppendInput {
  room: string;
  sender: string;
  clientId: string;
  /** A hash of the body in the form of a UUID. */
  hash: string;
  text: string | null;
  data: string | null;
  metadata: string | null;
  replyTo: number | null;
  attachments: string | null;
}

/** What became of one send: stored (`ok`), stored before (`duplicate`), or refused with a code. */
export interface AppendOutcome {
  outcome: string;
  seq: number | null;
  at: Date | null;
}

/**
 * Appends a batch of sends to their rooms in one commit, see the function `append_messages` of the
 * schema. At most one input per (room, sender, clientId). The result has the order of the inputs.
 */
export async function appendMessages(
  db: Database,
  inputs: AppendInput[],
  timeoutMs: number,
): Promise<AppendOutcome[]> {
  const rows = await db.query<{ ord: number } & Record<string, unknown> & AppendOutcome>(
    `select ord, outcome, seq, at from append_messages(
       $1::uuid[], $2::uuid[], $3::text[], $4::uuid[],
       $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[])`,
    [
      inputs.map((i) => i.room),
      inputs.map((i) => i.sender),
      inputs.map((i) => i.clientId),
      inputs.map((i) => i.hash),
      inputs.map((i) => i.text),
      inputs.map((i) => i.data),
      inputs.map((i) => i.metadata),
      inputs.map((i) => i.replyTo),
      inputs.some((i) => i.attachments !== null) ? inputs.map((i) => i.attachments) : null,
    ],
    { timeoutMs },
  );
  const outcomes: AppendOutcome[] = new Array(inputs.length);
  for (const { ord, outcome, seq, at } of rows) outcomes[ord - 1] = { outcome, seq, at };
  return outcomes;
}
