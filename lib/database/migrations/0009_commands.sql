-- Commands: messages that ask a device to do something, and what became of them.

-- What its owner says that a device takes. A device without a row takes every name.
create table device_commands (
  device_id uuid primary key references devices on delete cascade,
  -- An array of {name, description?, dangerous?, minRole?, args?}
  definitions jsonb not null
);

-- Who asked which device for what, when, and what became of it. The arguments stand in the payload
-- of the message's entry, which goes by (room_id, seq).
create table commands (
  id uuid primary key,
  -- Rises with every command; within a room in the order of its log.
  number bigint generated always as identity,
  room_id uuid not null references rooms on delete cascade,
  seq bigint not null,
  device_id uuid not null,
  sender_id uuid not null,
  name text not null,
  -- Everything but 'queued' is final.
  status text not null check (status in ('queued', 'done', 'failed', 'expired', 'cancelled')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  settled_at timestamptz,
  -- The message with which the device answered.
  answer_seq bigint,
  unique (room_id, seq)
);
create index commands_device on commands (room_id, device_id, seq);
create index commands_status on commands (room_id, status, seq);
create index commands_open on commands (device_id, number) where status = 'queued';
create index commands_due on commands (expires_at, room_id) where status = 'queued';

-- Appends one message with a payload to a room whose lock the caller holds.
create function append_with_payload(
  room uuid, sender uuid, cid text, hash uuid, body text, content jsonb, reply bigint, value jsonb,
  out new_seq bigint, out moment timestamptz)
language plpgsql as $$
declare
  messages bigint;
begin
  update rooms r set head = r.head + 1, message_count = r.message_count + 1 where r.id = room
    returning r.head, r.message_count into new_seq, messages;
  moment := date_trunc('milliseconds', clock_timestamp());
  insert into entries (room_id, seq, type, actor_id, at, ordinal, client_id, body_hash,
                       text, data, reply_to, updated_seq, payload)
  values (room, new_seq, 'message.created', sender, moment, messages, cid, hash,
          body, content, reply, new_seq, value);
end $$;

-- Settles a queued command of a room whose lock the caller holds, and says so in the log; the seq
-- is that of the entry.
create function settle_command(
  c commands, how text, actor uuid, answer bigint, out told bigint)
language plpgsql as $$
begin
  select a.new_seq into told
    from append_entry(c.room_id, 'command.updated', actor, c.seq, null, null) a;
  update commands x set status = how, answer_seq = answer,
    settled_at = date_trunc('milliseconds', clock_timestamp())
  where x.id = c.id;
  update entries e set updated_seq = told,
    payload = jsonb_set(e.payload, '{command}', (e.payload -> 'command') || jsonb_strip_nulls(
      jsonb_build_object('status', how, 'answer', answer)))
  where e.room_id = c.room_id and e.seq = c.seq;
end $$;

-- A command as somebody would type it.
create function command_line(device text, command text, args jsonb) returns text
language sql stable as $$
  select concat_ws(' ', '/cmd',
    case when device ~ '^[^[:space:]"''=]+$' then device else to_jsonb(device)::text end, command,
    (select string_agg(a.key || '=' || a.value::text, ' ' order by a.key) from jsonb_each(args) a))
$$;

-- Asks a device of the room to do something, with a message in the actor's name; without a body it
-- has the text that one would type. A repeat of the client id is answered with the first seq,
-- whatever has changed since. At most `most` commands of one device are open at a time.
-- outcome: ok, duplicate, client_id_reused, not_found (also: no such device in the room),
-- not_a_member, read_only, unknown_command, forbidden (the role), confirmation_required,
-- too_many_commands.
create function send_command(
  room uuid, actor uuid, device uuid, command uuid, command_name text, command_args jsonb,
  seconds integer, confirmed boolean, body text, cid text, hash uuid, most integer,
  out outcome text, out seq bigint)
language plpgsql as $$
declare
  roles constant text[] := array['reader', 'member', 'admin', 'owner'];
  place record;
  earlier entries;
  target principals;
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
  select p.* into target from principals p join devices d on d.id = p.id
    join members m on m.principal_id = p.id and m.room_id = room
    where p.id = device and p.disabled_at is null;
  if target.id is null then outcome := 'not_found'; return; end if;
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

-- Takes the device's answer to a command of its own: a message that replies to the command's.
-- Only the first one, in time, changes anything; a repeat is answered with what the first came to.
-- `told` is the entry that tells of the command. outcome: ok, duplicate, not_found, command_settled
-- (expired or cancelled).
create function answer_command(
  command uuid, device uuid, worked boolean, body text, content jsonb,
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
  if body is null and content is null then
    body := case when worked then 'Done' else 'Failed' end;
  end if;
  select a.new_seq, a.moment into seq, moment from append_with_payload(
    room, device, cid, null, body, content, c.seq, null) a;
  told := settle_command(c, case when worked then 'done' else 'failed' end, device, seq);
end $$;

-- Takes a command back, for its sender and for the room's admins. `seq` is the command's message,
-- `told` the entry that tells of it. outcome: ok, duplicate (it was cancelled before), not_found,
-- not_a_member, read_only, forbidden, command_settled.
create function cancel_command(
  room uuid, actor uuid, command uuid, out outcome text, out seq bigint, out told bigint)
language plpgsql as $$
declare
  place record;
  c commands;
begin
  place := enter_room(room, actor);
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  select * into c from commands x
    where x.id = command and x.room_id = room and x.seq >= (place.m).visible_from;
  if c.id is null then outcome := 'not_found'; return; end if;
  seq := c.seq;
  if (place.m).role = 'reader' then outcome := 'read_only'; return; end if;
  if c.sender_id <> actor and (place.m).role not in ('owner', 'admin') then
    outcome := 'forbidden'; return;
  end if;
  if c.status = 'cancelled' then outcome := 'duplicate'; return; end if;
  if c.status <> 'queued' or c.expires_at <= clock_timestamp() then
    outcome := 'command_settled'; return;
  end if;
  told := settle_command(c, 'cancelled', actor, null);
end $$;

-- Settles commands of one room that nobody answered in time, at most `most`; the seqs are those of
-- the entries that tell, without a gap. They are in the name of the devices.
create function expire_commands(room uuid, most integer) returns setof bigint
language plpgsql as $$
declare
  c commands;
begin
  perform 1 from rooms r where r.id = room for update;
  for c in select x.* from commands x
    where x.room_id = room and x.status = 'queued' and x.expires_at <= clock_timestamp()
    order by x.expires_at, x.number limit most
  loop
    return next settle_command(c, 'expired', c.device_id, null);
  end loop;
end $$;

-- A command whose message is deleted is taken back with it, and its arguments go like any content.
create function forget_command() returns trigger language plpgsql as $$
begin
  new.payload := jsonb_set(new.payload, '{command,args}', '{}');
  update commands c set status = 'cancelled', settled_at = new.deleted_at
    where c.room_id = new.room_id and c.seq = new.seq and c.status = 'queued';
  if found then new.payload := jsonb_set(new.payload, '{command,status}', '"cancelled"'); end if;
  return new;
end $$;
create trigger entries_forget_command before update of deleted_at on entries for each row
  when (old.deleted_at is null and new.deleted_at is not null and old.payload ? 'command')
  execute function forget_command();
