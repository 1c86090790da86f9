-- Attachments by reference: files that lie elsewhere. They are content of a message and stand in the
-- payload of its entry, {"attachments": [{url, name?, type?, size?, sha256?}]}, which pages count
-- and which comes with every read already.

-- As before, with the attachments of each send as JSON texts: null where a send has none, and null
-- as a whole where no send of the batch has any, which costs what it cost without them.
-- Group commit of a batch of sends: gapless numbers per room, authorisation, duplicates answered
-- with their first seq, in one round trip. Arrays of equal length, in order of arrival; one
-- (room, sender, client id) stands at most once in a batch.
-- The rooms are locked first; everything after reads a later snapshot, so a member removed while
-- this waited for the lock stores nothing, and no duplicate can be under way elsewhere.
-- outcome: ok, duplicate, client_id_reused, not_found, not_a_member, read_only, invalid_reply.
create function append_messages(
  room_ids uuid[], sender_ids uuid[], client_ids text[], hashes uuid[],
  texts text[], datas text[], metadatas text[], replies bigint[], attachments text[])
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
    from unnest(room_ids, sender_ids, client_ids, hashes, texts, datas, metadatas, replies,
                attachments)
      with ordinality as t(room, sender, cid, hash, body, data, metadata, reply, files, n)
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
                         text, data, metadata, reply_to, updated_seq, payload)
    select x.room, x.new_seq, 'message.created', x.sender, moment, x.new_ordinal, x.cid, x.hash,
           x.body, x.data::jsonb, x.metadata::jsonb, x.reply, x.new_seq,
           -- Under a key of its own: no send writes a command.
           case when x.files is not null then jsonb_build_object('attachments', x.files::jsonb) end
    from numbered x where x.verdict = 'ok')
  select x.n, x.verdict, case when x.verdict = 'ok' then x.new_seq else x.first_seq end,
         case when x.verdict = 'ok' then moment else x.first_at end
  from numbered x;
end $$;

-- The same without attachments, for nodes of the version before.
create or replace function append_messages(
  room_ids uuid[], sender_ids uuid[], client_ids text[], hashes uuid[],
  texts text[], datas text[], metadatas text[], replies bigint[])
returns table (ord bigint, outcome text, seq bigint, at timestamptz)
language sql as $$
  select * from append_messages(
    room_ids, sender_ids, client_ids, hashes, texts, datas, metadatas, replies, null)
$$;

-- Attachments go with the message that is deleted, whatever version of Confab deletes it. An edit
-- leaves them as they are.
create function forget_attachments() returns trigger language plpgsql as $$
begin
  new.payload := nullif(new.payload - 'attachments', '{}');
  return new;
end $$;
create trigger entries_forget_attachments before update of deleted_at on entries for each row
  when (old.deleted_at is null and new.deleted_at is not null and old.payload ? 'attachments')
  execute function forget_attachments();
