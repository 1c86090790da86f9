-- What a device is asked belongs to its stay in the room, and to what can be answered there; answers
-- may name files that lie elsewhere.

-- Leaves (actor = subject) or removes a member. As before, but what a device that goes was asked and
-- has not answered is cancelled first, in the device's name: whatever it is told in a later stay, it
-- is none of this. `first` is the first entry of all that, `seq` the one about the member.
-- outcome: ok, duplicate (was not there), or a code.
drop function delete_member(uuid, uuid, uuid);
create function delete_member(
  room uuid, actor uuid, subject uuid, out outcome text, out seq bigint, out first bigint)
language plpgsql as $$
declare
  place record;
  present members;
  own boolean;
  c commands;
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
  first := (place.r).head + 1;
  -- No more than send_command lets be open. Those whose time is over are left to the worker.
  for c in select x.* from commands x
    where x.room_id = room and x.device_id = subject and x.status = 'queued'
      and x.expires_at > clock_timestamp()
    order by x.number
  loop
    perform settle_command(c, 'cancelled', subject, null);
  end loop;
  select a.new_seq into seq from append_entry(room,
    case when actor = subject then 'member.left' else 'member.removed' end,
    actor, null, subject, null) a;
  delete from members x where x.room_id = room and x.principal_id = subject;
end $$;

-- Of devices that have left since, also of those that are back. (The worker says so.)
update commands c set expires_at = clock_timestamp()
  where c.status = 'queued' and c.expires_at > clock_timestamp() and not exists (
    select 1 from members m
    where m.room_id = c.room_id and m.principal_id = c.device_id and m.joined_seq < c.seq);

-- Asks a device of the room to do something, with a message in the actor's name. A repeat of the
-- client id is answered with the first seq, whatever has changed since. At most `most` commands of
-- one device are open at a time. As before, but a device that could not hear it or answer it is told
-- apart; `body` is the command as one would type it (null: from nodes of the version before).
-- outcome: ok, duplicate, client_id_reused, not_found (also: no such device in the room),
-- not_a_member, read_only, device_disabled, device_read_only, unknown_command, forbidden (the role),
-- confirmation_required, too_many_commands.
create or replace function send_command(
  room uuid, actor uuid, device uuid, command uuid, command_name text, command_args jsonb,
  seconds integer, confirmed boolean, body text, cid text, hash uuid, most integer,
  out outcome text, out seq bigint)
language plpgsql as $$
declare
  roles constant text[] := array['reader', 'member', 'admin', 'owner'];
  place record;
  earlier entries;
  target record;
  known jsonb;
  wanted jsonb;
  due timestamptz;
  moment timestamptz;
begin
  place := enter_room(room, actor);
  select * into earlier from entries e
    where e.room_id = room and e.actor_id = actor and e.client_id = cid;
  if earlier.seq is not null then
    outcome := case when earlier.body_hash = hash then 'duplicate' else 'client_id_reused' end;
    seq := earlier.seq;
    return;
  end if;
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  if (place.m).role = 'reader' then outcome := 'read_only'; return; end if;
  select p.id, p.name, p.disabled_at, m.role into target from principals p
    join devices d on d.id = p.id and d.deleted_at is null
    join members m on m.principal_id = p.id and m.room_id = room
    where p.id = device;
  if target.id is null then outcome := 'not_found'; return; end if;
  if target.disabled_at is not null then outcome := 'device_disabled'; return; end if;
  if target.role = 'reader' then outcome := 'device_read_only'; return; end if;
  select d.definitions into known from device_commands d where d.device_id = device;
  if known is not null then
    select k.value into wanted from jsonb_array_elements(known) k
      where k.value ->> 'name' = command_name limit 1;
    if wanted is null then outcome := 'unknown_command'; return; end if;
    if array_position(roles, (place.m).role)
       < array_position(roles, coalesce(wanted ->> 'minRole', 'member')) then
      outcome := 'forbidden'; return;
    end if;
    if (wanted -> 'dangerous') = 'true'::jsonb and not confirmed then
      outcome := 'confirmation_required'; return;
    end if;
  end if;
  -- A device is in several rooms, whose locks say nothing about each other.
  perform pg_advisory_xact_lock(hashtextextended('commands of ' || device, 0));
  if (select count(*) from commands c where c.device_id = device and c.status = 'queued'
      and c.expires_at > clock_timestamp()) >= most then
    outcome := 'too_many_commands'; return;
  end if;
  due := date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => seconds);
  select a.new_seq, a.moment into seq, moment from append_with_payload(
    room, actor, cid, hash, coalesce(body, command_line(target.name, command_name, command_args)),
    null, null, jsonb_build_object('command', jsonb_build_object(
      'id', command, 'device', device, 'name', command_name, 'args', command_args,
      'status', 'queued',
      'expiresAt', to_char(due at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))) a;
  insert into commands (id, room_id, seq, device_id, sender_id, name, status, created_at, expires_at)
    values (command, room, seq, device, actor, command_name, 'queued', moment, due);
end $$;

-- Takes the device's answer to a command of its own: a message that replies to the command's, with
-- `files` as the attachments. Only the first one, in time, changes anything; a repeat is answered
-- with what the first came to. `told` is the entry that tells of the command. outcome: ok, duplicate,
-- not_found, command_settled (expired or cancelled).
create function answer_command(
  command uuid, device uuid, worked boolean, body text, content jsonb, files jsonb,
  out outcome text, out room uuid, out seq bigint, out moment timestamptz, out told bigint)
language plpgsql as $$
declare
  cid text := 'command:' || command;
  place record;
  c commands;
begin
  select x.room_id into room from commands x where x.id = command and x.device_id = device;
  if room is null then outcome := 'not_found'; return; end if;
  place := enter_room(room, device);
  select * into c from commands x where x.id = command;
  if c.status in ('done', 'failed') then
    outcome := 'duplicate'; seq := c.answer_seq;
    select coalesce(max(e.at), c.settled_at) into moment from entries e
      where e.room_id = room and e.seq = c.answer_seq;
    return;
  end if;
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  if c.status <> 'queued' or c.expires_at <= clock_timestamp() then
    outcome := 'command_settled'; return;
  end if;
  -- The device may have used this client id for a message of its own.
  if exists (select 1 from entries e
             where e.room_id = room and e.actor_id = device and e.client_id = cid) then
    cid := null;
  end if;
  if body is null and content is null and files is null then
    body := case when worked then 'Done' else 'Failed' end;
  end if;
  select a.new_seq, a.moment into seq, moment from append_with_payload(
    room, device, cid, null, body, content, c.seq,
    case when files is not null then jsonb_build_object('attachments', files) end) a;
  told := settle_command(c, case when worked then 'done' else 'failed' end, device, seq);
end $$;

-- The same without attachments, for nodes of the version before.
create or replace function answer_command(
  command uuid, device uuid, worked boolean, body text, content jsonb,
  out outcome text, out room uuid, out seq bigint, out moment timestamptz, out told bigint)
language sql as $$
  select * from answer_command(command, device, worked, body, content, null)
$$;

-- Edits (content given) or deletes (no content) a message. The author may do both; room admins
-- and owners may delete. A change that would alter nothing, and a repeated client id, answer
-- 'duplicate' with the entry that first did it. As before, but what a command's message says stays
-- what the device is asked: 'not_editable'.
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
  if not remove and e.payload ? 'command' then outcome := 'not_editable'; return; end if;
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
