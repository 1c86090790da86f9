-- Reads that are bounded by bytes, too: 200 messages may be 10 MB. The forms without max_bytes stay
-- for nodes of the version before.

-- Bytes of what each entry carries, as it is sent: what is stored of a number may be far shorter.
create view entry_bytes as
select e.room_id, e.seq, e.type,
       coalesce(octet_length(m.text), 0) + coalesce(octet_length(m.data::text), 0)
         + coalesce(octet_length(m.metadata::text), 0)
         + coalesce(octet_length(e.payload::text), 0) as bytes
from entries e
left join entries m on m.room_id = e.room_id
  and m.seq = case when e.type = 'message.created' then e.seq else e.target end;

-- The first entries with numbers from `low` to `high` that fit into max_bytes, at least one; or,
-- from_high, as many of the last ones as fit, perhaps none. Oldest first.
create function log_page(
  room uuid, low bigint, high bigint, max_bytes bigint, from_high boolean)
returns setof log_entries language plpgsql stable rows 50
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  step record;
  total bigint := 0;
begin
  -- The loops read no further than to the end of the page.
  if from_high then
    for step in select e.seq, e.bytes from entry_bytes e
      where e.room_id = room and e.seq between low and high order by e.seq desc
    loop
      total := total + step.bytes;
      if total > max_bytes then low := step.seq + 1; exit; end if;
    end loop;
  else
    for step in select e.seq, e.bytes from entry_bytes e
      where e.room_id = room and e.seq between low and high order by e.seq
    loop
      total := total + step.bytes;
      if total > max_bytes then high := greatest(step.seq - 1, low); exit; end if;
    end loop;
  end if;
  return query select * from log_entries e
    where e.room_id = room and e.seq between low and high order by e.seq;
end $$;

-- At most `most` messages with numbers from `low` to `high` that fit into max_bytes, at least one:
-- the first of them, or the last. `more` when there are others in that direction.
create function message_page(
  room uuid, low bigint, high bigint, most bigint, max_bytes bigint, from_low boolean)
returns table (more boolean, entry log_entries) language plpgsql stable rows 50
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  step record;
  seqs bigint[] := '{}';
  total bigint := 0;
begin
  more := false;
  if from_low then
    for step in select e.seq, e.bytes from entry_bytes e
      where e.room_id = room and e.seq between low and high and e.type = 'message.created'
      order by e.seq limit most + 1
    loop
      total := total + step.bytes;
      more := cardinality(seqs) >= least(most, case when total > max_bytes then 1 end);
      exit when more;
      seqs := seqs || step.seq;
    end loop;
  else
    for step in select e.seq, e.bytes from entry_bytes e
      where e.room_id = room and e.seq between low and high and e.type = 'message.created'
      order by e.seq desc limit most + 1
    loop
      total := total + step.bytes;
      more := cardinality(seqs) >= least(most, case when total > max_bytes then 1 end);
      exit when more;
      seqs := seqs || step.seq;
    end loop;
  end if;
  -- Not "= any (seqs)": before Postgres 17 that may read the whole room
  return query select message_page.more, x.entry from unnest(seqs) n
    cross join lateral (
      select e as entry from log_entries e where e.room_id = room and e.seq = n limit 1) x;
end $$;

-- As before, in a way that cannot be misread: by its statistics the planner took it for cheaper to
-- look for a member's newest message through the whole room, which a member who is silent pays.
create or replace function room_progress(r rooms, m members, out read bigint, out unread bigint)
language sql stable as $$
  select c.seq, r.message_count - coalesce(
    (select e.ordinal from entries e where e.room_id = r.id and e.seq = c.seq), 0)
  from (select greatest(m.read_seq, coalesce((
          select e.seq from entries e
          where e.room_id = r.id and e.type = 'message.created'
            and (e.actor_id, e.seq) >= (m.principal_id, 0)
            and (e.actor_id, e.seq) <= (m.principal_id, r.head)
          order by e.actor_id desc, e.seq desc limit 1), 0)) as seq) c
$$;
