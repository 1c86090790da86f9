-- A repeat is judged before the membership: whoever stored something and lost the answer learns that
-- it is stored, also when they were removed meanwhile.

-- Group commit of a batch of sends: gapless numbers per room, authorisation, duplicates answered
-- with their first seq, in one round trip. Arrays of equal length, in order of arrival; one
-- (room, sender, client id) stands at most once in a batch.
-- The rooms are locked first; everything after reads a later snapshot, so a member removed while
-- this waited for the lock stores nothing, and no duplicate can be under way elsewhere.
-- outcome: ok, duplicate, client_id_reused, not_found, not_a_member, read_only, invalid_reply.
create or replace function append_messages(
  room_ids uuid[], sender_ids uuid[], client_ids text[], hashes uuid[],
  texts text[], datas text[], metadatas text[], replies bigint[])
returns table (ord bigint, outcome text, seq bigint, at timestamptz)
language plpgsql as $$
declare
  moment timestamptz;
begin
  perform 1 from rooms r where r.id = any (room_ids) order by r.id for update;
  moment := date_trunc('milliseconds', clock_timestamp());
  return query
  with sends as (
    select t.*, r.head, r.message_count, d.seq as first_seq, d.at as first_at,
           case
             when d.seq is not null then
               case when d.body_hash = t.hash then 'duplicate' else 'client_id_reused' end
             when p.id is null or p.disabled_at is not null or r.id is null
               or r.deleted_at is not null then 'not_found'
             when m.role is null then
               case when r.visibility = 'public' and p.kind <> 'device'
                    then 'not_a_member' else 'not_found' end
             when m.role = 'reader' then 'read_only'
             when t.reply is not null and q.seq is null then 'invalid_reply'
             else 'ok'
           end as verdict
    from unnest(room_ids, sender_ids, client_ids, hashes, texts, datas, metadatas, replies)
      with ordinality as t(room, sender, cid, hash, body, data, metadata, reply, n)
    left join rooms r on r.id = t.room
    left join principals p on p.id = t.sender
    left join members m on m.room_id = t.room and m.principal_id = t.sender
    left join lateral (
      select e.seq, e.at, e.body_hash from entries e
      where e.room_id = t.room and e.actor_id = t.sender and e.client_id = t.cid limit 1) d on true
    left join lateral (
      select e.seq from entries e
      where e.room_id = t.room and e.seq = t.reply and e.type = 'message.created'
        and e.seq >= m.visible_from limit 1) q on true),
  -- The lock keeps head and message_count as they were read. Joining them in from the update below
  -- would be quadratic: the planner takes the few sends of a batch for even fewer.
  numbered as materialized (
    select s.*, s.head + row_number() over mine as new_seq,
           s.message_count + row_number() over mine as new_ordinal
    from sends s
    window mine as (partition by s.room, s.verdict order by s.n)),
  moved as (
    update rooms r set head = r.head + f.total, message_count = r.message_count + f.total
    from (select x.room, count(*) as total from numbered x where x.verdict = 'ok' group by x.room) f
    where r.id = f.room),
  inserted as (
    insert into entries (room_id, seq, type, actor_id, at, ordinal, client_id, body_hash,
                         text, data, metadata, reply_to, updated_seq)
    select x.room, x.new_seq, 'message.created', x.sender, moment, x.new_ordinal, x.cid, x.hash,
           x.body, x.data::jsonb, x.metadata::jsonb, x.reply, x.new_seq
    from numbered x where x.verdict = 'ok')
  select x.n, x.verdict, case when x.verdict = 'ok' then x.new_seq else x.first_seq end,
         case when x.verdict = 'ok' then moment else x.first_at end
  from numbered x;
end $$;

-- Edits (content given) or deletes (no content) a message. The author may do both; room admins
-- and owners may delete. A change that would alter nothing, and a repeated client id, answer
-- 'duplicate' with the entry that first did it.
create or replace function change_message(
  room uuid, actor uuid, about bigint, remove boolean,
  new_text text, new_data jsonb, new_metadata jsonb, cid text, hash uuid,
  out outcome text, out seq bigint)
language plpgsql as $$
declare
  place record;
  e entries;
  earlier entries;
  moment timestamptz;
begin
  place := enter_room(room, actor);
  if cid is not null then
    select * into earlier from entries x
      where x.room_id = room and x.actor_id = actor and x.client_id = cid;
    if earlier.seq is not null then
      outcome := case when earlier.body_hash = hash then 'duplicate' else 'client_id_reused' end;
      seq := earlier.seq;
      return;
    end if;
  end if;
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  select * into e from entries x where x.room_id = room and x.seq = about
    and x.type = 'message.created' and x.seq >= (place.m).visible_from;
  if e.seq is null then outcome := 'not_found'; return; end if;
  if (place.m).role = 'reader' then outcome := 'read_only'; return; end if;
  if e.actor_id <> actor and not (remove and (place.m).role in ('owner', 'admin')) then
    outcome := 'forbidden'; return;
  end if;
  if e.deleted_at is not null then
    outcome := case when remove then 'duplicate' else 'message_deleted' end;
    seq := e.updated_seq;
    return;
  end if;
  if not remove and e.text is not distinct from new_text and e.data is not distinct from new_data
     and e.metadata is not distinct from new_metadata then
    outcome := 'duplicate'; seq := e.updated_seq; return;
  end if;
  select a.new_seq, a.moment into seq, moment from append_entry(
    room, case when remove then 'message.deleted' else 'message.edited' end,
    actor, about, null, null, cid, hash) a;
  update entries x set
    text = case when remove then null else new_text end,
    data = case when remove then null else new_data end,
    metadata = case when remove then null else new_metadata end,
    edited_at = case when remove then x.edited_at else moment end,
    deleted_at = case when remove then moment end,
    updated_seq = change_message.seq
  where x.room_id = room and x.seq = about;
end $$;
