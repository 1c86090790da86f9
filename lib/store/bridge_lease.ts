import type { Database } from "../database/mod.ts";

/** Who may work: `term` is larger than that of every earlier holder. */
export interface LeaseKey {
  name: string;
  holder: string;
  term: number;
}

/** Takes a lease that nobody holds or that has run out; answers its term. Undefined: it is held. */
export async function takeLease(
  db: Database,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<number | undefined> {
  const rows = await db.query<{ term: number }>(
    `insert into leases as l (name, holder, term, expires_at)
     values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3::float8 / 1000))
     on conflict (name) do update
       set holder = excluded.holder, term = l.term + 1, expires_at = excluded.expires_at
       where l.expires_at <= clock_timestamp()
     returning l.term`,
    [name, holder, ttlMs],
  );
  return rows[0]?.term;
}

/** Prolongs a lease, also one that ran out and that nobody has taken since. */
export async function renewLease(db: Database, lease: LeaseKey, ttlMs: number): Promise<boolean> {
  const rows = await db.query(
    `update leases set expires_at = clock_timestamp() + make_interval(secs => $4::float8 / 1000)
     where name = $1 and holder = $2 and term = $3 returning 1`,
    [lease.name, lease.holder, lease.term, ttlMs],
  );
  return rows.length > 0;
}

/** Lets the next holder in at once. The row stays, so that terms keep rising. */
export async function releaseLease(db: Database, lease: LeaseKey): Promise<void> {
  await db.query(
    `update leases set expires_at = clock_timestamp()
     where name = $1 and holder = $2 and term = $3`,
    [lease.name, lease.holder, lease.term],
  );
}
