import type { Database, Row } from "../database/mod.ts";

/**
 * Notes which devices have fallen silent or are heard again, at most `most` of them, see the function
 * `judge_silence` of the schema; answers how many.
 */
export async function judgeSilence(db: Database, most: number): Promise<number> {
  const rows = await db.query<{ moved: number }>(`select moved from judge_silence($1)`, [most]);
  return rows[0]!.moved;
}

/** What became of the next alert. */
export interface NextAlert {
  /** False: there is none to append now. */
  taken: boolean;
  room: string | null;
  /** Null when the room was told nothing. */
  seq: number | null;
}

/** Appends the next alert to its room, see the function `append_next_alert` of the schema. */
export async function appendNextAlert(db: Database): Promise<NextAlert> {
  const rows = await db.query<Row & NextAlert>(`select taken, room, seq from append_next_alert()`);
  return rows[0]!;
}
