-- Principals, rooms, members, and the log: one durable, ordered sequence of entries per room.

create table instance (
  only_row boolean primary key default true check (only_row),
  -- Names this history. A cursor from another epoch is worthless.
  epoch text not null
);
insert into instance (epoch) values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));

create table principals (
  id uuid primary key,
  kind text not null check (kind in ('user', 'guest', 'device')),
  role text not null check (role in ('admin', 'user', 'guest', 'device')),
  username text,
  name text not null,
  metadata jsonb not null default '{}',
  -- Access ended: nothing of this principal is accepted or delivered any more.
  disabled_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index principals_username on principals (lower(username)) where username is not null;
create index principals_name on principals (lower(name) text_pattern_ops) where kind = 'user';
create index principals_username_prefix on principals (lower(username) text_pattern_ops)
  where kind = 'user';
create index principals_disabled on principals (disabled_at) where disabled_at is not null;

create table passwords (
  principal_id uuid primary key references principals on delete cascade,
  -- PHC string format
  hash text not null,
  updated_at timestamptz not null default now()
);

create table sessions (
  id uuid primary key,
  principal_id uuid not null references principals on delete cascade,
  -- SHA-256 of the refresh token that is valid now, and of the one it replaced.
  refresh_hash text not null,
  previous_hash text,
  rotated_at timestamptz not null default now(),
  client text not null default '',
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index sessions_principal on sessions (principal_id);
create index sessions_expiry on sessions (expires_at);
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

-- Connection tickets that were used: a row makes the second use fail.
create table tickets (
  id uuid primary key,
  expires_at timestamptz not null
);
create index tickets_expiry on tickets (expires_at);

create table devices (
  id uuid primary key references principals on delete cascade,
  owner_id uuid not null references principals on delete cascade,
  -- The secret is derived from the device key, the id and this number.
  generation integer not null default 1
);
create index devices_owner on devices (owner_id);

create table rooms (
  id uuid primary key,
  kind text not null check (kind in ('group', 'direct')),
  name text not null,
  topic text not null default '',
  visibility text not null check (visibility in ('public', 'private')),
  metadata jsonb not null default '{}',
  -- The two principals of a direct room, in order: the room is made once.
  direct_key text unique,
  -- The seq of the newest entry, and the number of messages among the entries.
  head bigint not null default 0,
  message_count bigint not null default 0,
  -- Entries up to here were removed by retention.
  floor bigint not null default 0,
  created_by uuid not null references principals,
  created_at timestamptz not null default now(),
  deleted_at timestamptz
) with (fillfactor = 50);
create index rooms_public on rooms (lower(name), id) where visibility = 'public' and deleted_at is null;

create table members (
  room_id uuid not null references rooms on delete cascade,
  principal_id uuid not null references principals on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'reader')),
  -- The seq of the member.joined entry, and the first seq this member may read.
  joined_seq bigint not null,
  visible_from bigint not null default 1,
  -- The read cursor as set; one's own messages move it without a write, see room_progress.
  read_seq bigint not null,
  joined_at timestamptz not null default now(),
  primary key (room_id, principal_id)
);
create index members_principal on members (principal_id, room_id);

-- The log. A message is the entry that created it: later changes are entries of their own that
-- name it as `target`, and its content here is always the current one.
-- No foreign keys: every writer holds the room's lock and has read its principals.
create table entries (
  room_id uuid not null,
  seq bigint not null,
  type text not null,
  actor_id uuid not null,
  at timestamptz not null,
  -- Messages among the entries up to this one.
  ordinal bigint not null,
  -- What a change is about: a message, or a principal with the resulting value.
  target bigint,
  subject_id uuid,
  payload jsonb,
  -- Idempotency: the sender's id of this entry, and a hash of the first body.
  client_id text,
  body_hash uuid,
  -- Content of a message
  text text,
  data jsonb,
  metadata jsonb,
  reply_to bigint,
  edited_at timestamptz,
  deleted_at timestamptz,
  updated_seq bigint,
  primary key (room_id, seq)
);
create unique index entries_client on entries (room_id, actor_id, client_id)
  where client_id is not null;
-- Finds a sender's newest message: it moves the sender's read cursor.
create index entries_sender on entries (room_id, actor_id, seq) where type = 'message.created';

-- Log entries with everything that their rendering shows, content as it is now.
create view log_entries as
select e.room_id, e.seq, e.type, e.at, e.target, e.payload,
       a.id as actor_id, a.kind as actor_kind, a.name as actor_name,
       s.id as subject_id, s.kind as subject_kind, s.name as subject_name,
       m.seq as message_seq, m.at as message_at, m.client_id, m.text, m.data, m.metadata,
       m.reply_to, m.edited_at, m.deleted_at, m.updated_seq,
       p.id as sender_id, p.kind as sender_kind, p.name as sender_name
from entries e
join principals a on a.id = e.actor_id
left join principals s on s.id = e.subject_id
left join entries m on m.room_id = e.room_id
  and m.seq = case when e.type = 'message.created' then e.seq else e.target end
left join principals p on p.id = m.actor_id;

-- Pages of the log and of its messages, oldest first. The settings leave the planner one way, the
-- primary key: without statistics (a young database) it would rather read the whole room.
create function log_page(room uuid, low bigint, high bigint) returns setof log_entries
language sql stable rows 50
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off as $$
  select * from log_entries e where e.room_id = room and e.seq between low and high order by e.seq
$$;

-- At most `most` messages with numbers from `low` to `high`: the first of them, or the last.
create function message_page(
  room uuid, low bigint, high bigint, most bigint, from_low boolean)
returns setof log_entries language plpgsql stable rows 50
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  seqs bigint[];
begin
  if from_low then
    seqs := array(
      select e.seq from entries e
      where e.room_id = room and e.seq between low and high and e.type = 'message.created'
      order by e.seq limit most);
  else
    seqs := array(
      select e.seq from entries e
      where e.room_id = room and e.seq between low and high and e.type = 'message.created'
      order by e.seq desc limit most);
  end if;
  -- Not "= any (seqs)": before Postgres 17 that may read the whole room
  return query select e.* from unnest(seqs) n
    cross join lateral (select * from log_entries e where e.room_id = room and e.seq = n limit 1) e;
end $$;

-- Where a member stands: the read cursor (own messages count as read) and the unread messages.
create function room_progress(r rooms, m members, out read bigint, out unread bigint)
language sql stable as $$
  select c.seq, r.message_count - coalesce(
    (select e.ordinal from entries e where e.room_id = r.id and e.seq = c.seq), 0)
  from (select greatest(m.read_seq, coalesce((
          select e.seq from entries e
          where e.room_id = r.id and e.actor_id = m.principal_id and e.type = 'message.created'
          order by e.seq desc limit 1), 0)) as seq) c
$$;

-- Group commit of a batch of sends: gapless numbers per room, authorisation, duplicates answered
-- with their first seq, in one round trip. Arrays of equal length, in order of arrival; one
-- (room, sender, client id) stands at most once in a batch.
-- The rooms are locked first; everything after reads a later snapshot, so a member removed while
-- this waited for the lock stores nothing, and no duplicate can be under way elsewhere.
-- outcome: ok, duplicate, client_id_reused, not_found, not_a_member, read_only, invalid_reply.
create function append_messages(
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
             when p.id is null or p.disabled_at is not null or r.id is null
               or r.deleted_at is not null then 'not_found'
             when m.role is null then
               case when r.visibility = 'public' and p.kind <> 'device'
                    then 'not_a_member' else 'not_found' end
             when d.seq is not null then
               case when d.body_hash = t.hash then 'duplicate' else 'client_id_reused' end
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

-- Appends one entry to a room whose lock the caller holds; returns its seq and time.
create function append_entry(
  room uuid, kind text, actor uuid, about bigint, subject uuid, value jsonb,
  cid text default null, hash uuid default null, out new_seq bigint, out moment timestamptz)
language plpgsql as $$
declare
  messages bigint;
begin
  update rooms r set head = r.head + 1 where r.id = room
    returning r.head, r.message_count into new_seq, messages;
  moment := date_trunc('milliseconds', clock_timestamp());
  insert into entries (room_id, seq, type, actor_id, at, ordinal, target, subject_id, payload,
                       client_id, body_hash)
  values (room, new_seq, kind, actor, moment, messages, about, subject, value, cid, hash);
end $$;

-- Locks a room and reads what the actor may do in it. outcome is 'ok', 'not_found', or
-- 'not_a_member' (a public room that the actor has not joined).
create function enter_room(room_id uuid, actor uuid, out outcome text, out r rooms, out m members)
language plpgsql as $$
declare
  person principals;
begin
  select * into r from rooms x where x.id = enter_room.room_id and x.deleted_at is null for update;
  select * into person from principals x where x.id = actor and x.disabled_at is null;
  if r.id is null or person.id is null then outcome := 'not_found'; return; end if;
  select * into m from members x where x.room_id = r.id and x.principal_id = actor;
  outcome := case
    when m.role is not null then 'ok'
    when r.visibility = 'public' and person.kind <> 'device' then 'not_a_member'
    else 'not_found' end;
end $$;

-- Edits (content given) or deletes (no content) a message. The author may do both; room admins
-- and owners may delete. A change that would alter nothing, and a repeated client id, answer
-- 'duplicate' with the entry that first did it.
create function change_message(
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
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  if cid is not null then
    select * into earlier from entries x
      where x.room_id = room and x.actor_id = actor and x.client_id = cid;
    if earlier.seq is not null then
      outcome := case when earlier.body_hash = hash then 'duplicate' else 'client_id_reused' end;
      seq := earlier.seq;
      return;
    end if;
  end if;
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

-- Creates a group room with its owner as first member (entry 1).
create function create_room(
  room uuid, creator uuid, room_name text, room_topic text, room_visibility text,
  room_metadata jsonb)
returns void language plpgsql as $$
begin
  insert into rooms (id, kind, name, topic, visibility, metadata, created_by)
    values (room, 'group', room_name, room_topic, room_visibility, room_metadata, creator);
  perform append_entry(room, 'member.joined', creator, null, creator,
    jsonb_build_object('role', 'owner', 'joinedSeq', 1));
  insert into members (room_id, principal_id, role, joined_seq, read_seq)
    values (room, creator, 'owner', 1, 1);
end $$;

-- The direct room of two people, made by whoever asks first. outcome: created, ok, not_found.
create function open_direct(
  candidate uuid, actor uuid, peer uuid, key text, out outcome text, out room uuid)
language plpgsql as $$
declare
  made uuid;
  people integer;
begin
  select count(*) into people from principals p
    where p.id in (actor, peer) and p.kind = 'user' and p.disabled_at is null;
  if people <> 2 then outcome := 'not_found'; return; end if;
  insert into rooms (id, kind, name, visibility, direct_key, created_by)
    values (candidate, 'direct', '', 'private', key, actor)
    on conflict (direct_key) do nothing returning id into made;
  if made is null then
    outcome := 'ok';
    select r.id into room from rooms r where r.direct_key = key;
    return;
  end if;
  outcome := 'created';
  room := candidate;
  perform append_entry(candidate, 'member.joined', actor, null, actor,
    jsonb_build_object('role', 'member', 'joinedSeq', 1));
  perform append_entry(candidate, 'member.joined', actor, null, peer,
    jsonb_build_object('role', 'member', 'joinedSeq', 2));
  insert into members (room_id, principal_id, role, joined_seq, read_seq)
    values (candidate, actor, 'member', 1, 2), (candidate, peer, 'member', 2, 2);
end $$;

-- Joins (actor = subject), adds, or changes the role of a member.
-- wanted null: join with the default role. outcome: ok, duplicate (nothing to change), or a code.
create function put_member(
  room uuid, actor uuid, subject uuid, wanted text, out outcome text, out seq bigint)
language plpgsql as $$
declare
  place record;
  person principals;
  present members;
  power boolean;
begin
  place := enter_room(room, actor);
  outcome := place.outcome;
  if outcome = 'not_found' then return; end if;
  if (place.r).kind = 'direct' then outcome := 'direct_room'; return; end if;
  select * into person from principals p where p.id = subject and p.disabled_at is null;
  if person.id is null then outcome := 'not_found'; return; end if;
  select * into present from members x where x.room_id = room and x.principal_id = subject;
  if actor = subject and wanted is null then
    -- Joining: public rooms only; members already there have nothing to change.
    if present.role is not null then
      outcome := 'duplicate'; seq := present.joined_seq; return;
    end if;
  else
    if outcome <> 'ok' then return; end if;
    power := (place.m).role in ('owner', 'admin');
    if not power then outcome := 'forbidden'; return; end if;
    -- Only owners make, change or unmake owners; a device joins only with its owner.
    if (wanted = 'owner' or present.role = 'owner') and (place.m).role <> 'owner' then
      outcome := 'forbidden'; return;
    end if;
    if present.role is null and person.kind = 'device' and not exists (
        select 1 from devices d where d.id = subject and d.owner_id = actor) then
      outcome := 'not_found'; return;
    end if;
    if present.role is not null and (wanted is null or present.role = wanted) then
      outcome := 'duplicate'; seq := present.joined_seq; return;
    end if;
    if present.role = 'owner' and wanted <> 'owner' and not exists (
        select 1 from members x
        where x.room_id = room and x.role = 'owner' and x.principal_id <> subject) then
      outcome := 'last_owner'; return;
    end if;
  end if;
  outcome := 'ok';
  if present.role is null then
    seq := (place.r).head + 1;
    perform append_entry(room, 'member.joined', actor, null, subject,
      jsonb_build_object('role', coalesce(wanted, 'member'), 'joinedSeq', seq));
    insert into members (room_id, principal_id, role, joined_seq, read_seq)
      values (room, subject, coalesce(wanted, 'member'), seq, seq);
  else
    seq := (place.r).head + 1;
    perform append_entry(room, 'member.role', actor, null, subject,
      jsonb_build_object('role', wanted, 'joinedSeq', present.joined_seq));
    update members x set role = wanted where x.room_id = room and x.principal_id = subject;
  end if;
end $$;

-- Leaves (actor = subject) or removes a member. outcome: ok, duplicate (was not there), or a code.
create function delete_member(
  room uuid, actor uuid, subject uuid, out outcome text, out seq bigint)
language plpgsql as $$
declare
  place record;
  present members;
  own boolean;
begin
  place := enter_room(room, actor);
  outcome := place.outcome;
  if outcome = 'not_a_member' and actor = subject then outcome := 'duplicate'; return; end if;
  select * into present from members x where x.room_id = room and x.principal_id = subject;
  -- The owner of a device may take it out of any room, also of one that the owner cannot see.
  own := (place.r).id is not null and present.role is not null and exists (
    select 1 from devices d join principals p on p.id = d.owner_id
    where d.id = subject and d.owner_id = actor and p.disabled_at is null);
  if outcome <> 'ok' and not own then return; end if;
  if (place.r).kind = 'direct' then outcome := 'direct_room'; return; end if;
  if actor <> subject and not own then
    if (place.m).role not in ('owner', 'admin') then outcome := 'forbidden'; return; end if;
    if present.role = 'owner' and (place.m).role <> 'owner' then
      outcome := 'forbidden'; return;
    end if;
  end if;
  outcome := 'ok';
  if present.role is null then outcome := 'duplicate'; return; end if;
  if present.role = 'owner' and not exists (
      select 1 from members x
      where x.room_id = room and x.role = 'owner' and x.principal_id <> subject)
     and exists (select 1 from members x where x.room_id = room and x.principal_id <> subject) then
    outcome := 'last_owner'; return;
  end if;
  select a.new_seq into seq from append_entry(room,
    case when actor = subject then 'member.left' else 'member.removed' end,
    actor, null, subject, null) a;
  delete from members x where x.room_id = room and x.principal_id = subject;
end $$;

-- Changes the settings that are given (not null). outcome: ok, duplicate (no change), or a code.
create function update_room(
  room uuid, actor uuid, new_name text, new_topic text, new_visibility text, new_metadata jsonb,
  out outcome text, out seq bigint)
language plpgsql as $$
declare
  place record;
  r rooms;
begin
  place := enter_room(room, actor);
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  r := place.r;
  if r.kind = 'direct' then outcome := 'direct_room'; return; end if;
  if (place.m).role not in ('owner', 'admin') then outcome := 'forbidden'; return; end if;
  if (r.name, r.topic, r.visibility, r.metadata) = (coalesce(new_name, r.name),
      coalesce(new_topic, r.topic), coalesce(new_visibility, r.visibility),
      coalesce(new_metadata, r.metadata)) then
    outcome := 'duplicate'; return;
  end if;
  update rooms x set name = coalesce(new_name, x.name), topic = coalesce(new_topic, x.topic),
    visibility = coalesce(new_visibility, x.visibility),
    metadata = coalesce(new_metadata, x.metadata)
  where x.id = room returning * into r;
  select a.new_seq into seq from append_entry(room, 'room.updated', actor, null, null,
    jsonb_build_object('name', r.name, 'topic', r.topic, 'visibility', r.visibility,
      'metadata', r.metadata)) a;
end $$;

-- Where the outbound bridge stands in each room, and who may work: `term` rises with every holder.
create table leases (
  name text primary key,
  holder text not null,
  term bigint not null,
  expires_at timestamptz not null
);
create table bridge_cursors (
  room_id uuid primary key references rooms on delete cascade,
  seq bigint not null
);
