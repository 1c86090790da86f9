-- Whether devices are there: what they say of themselves, when they were last heard, and the alerts
-- of those that have fallen silent.

create table device_status (
  device_id uuid primary key references devices on delete cascade,
  online boolean not null default false,
  -- The newest session that was heard of: a number, or a string in the order of its bytes.
  session_number bigint,
  session_text text,
  -- Names the present stay for the store of presence; every birth begins another one.
  stay uuid,
  -- Since when `online` is as it is; null: the device never said.
  since timestamptz,
  -- Written every few seconds at most.
  last_seen timestamptz,
  -- The last four births at most, the newest last.
  births timestamptz[] not null default '{}',
  -- There were more than three births within two minutes, see is_unstable.
  flapping boolean not null default false,
  expected_seconds integer check (expected_seconds between 10 and 604800),
  expected_since timestamptz,
  -- It was found to be silent, when it had last been heard at `silent_seen`.
  silent boolean not null default false,
  silent_seen timestamptz
);
create index device_status_online on device_status (device_id) where online;
create index device_status_expected on device_status (device_id)
  where expected_seconds is not null;

-- How long the active bridge has been connected to the broker without a break, and up to when
-- everything that it heard is in device_status: nobody is silent for lack of a listener.
create table device_listening (
  -- That of the bridge's lease.
  name text primary key,
  since timestamptz not null,
  until timestamptz not null
);

-- Alerts that their rooms have not been told yet, in the order of `id` for each device and room. No
-- foreign key to the rooms: it would have to wait for their locks.
create table device_alerts (
  id bigint generated always as identity primary key,
  room_id uuid not null,
  device_id uuid not null references devices on delete cascade,
  alert jsonb not null,
  -- Not before that: the room was locked for too long.
  due_at timestamptz not null default clock_timestamp()
);
create index device_alerts_order on device_alerts (device_id, room_id, id);

-- A device that keeps coming is unstable until it has not come for two minutes.
create function is_unstable(s device_status) returns boolean language sql stable as $$
  select s.flapping and s.births[cardinality(s.births)] > now() - interval '2 minutes'
$$;

-- A device says whether it is there, in a session (a number, a word, or neither). What is older
-- than the newest session that was heard of is ignored, and so is a last will without a session
-- while one with a session is online; otherwise the last one said wins. Told again, it changes
-- nothing. `heard`: the device has said it just now.
-- outcome: born (`stay` begins, and `ended` where there was one), gone (`ended` is over), same,
-- ignored, or unknown (no such device, or its access has ended). `online` and `stay` are what is so
-- after it.
create function device_said(
  device uuid, is_online boolean, number bigint, word text, heard boolean,
  out outcome text, out online boolean, out stay uuid, out ended uuid, out unstable boolean)
language plpgsql as $$
declare
  s device_status;
  moment timestamptz;
  given boolean := number is not null or word is not null;
  known boolean;
begin
  select * into s from device_status x where x.device_id = device for update;
  if s.device_id is null then
    insert into device_status (device_id) select d.id from devices d where d.id = device
      on conflict do nothing;
    select * into s from device_status x where x.device_id = device for update;
  end if;
  if s.device_id is null or not exists (
      select 1 from principals p where p.id = device and p.disabled_at is null) then
    outcome := 'unknown'; online := false; unstable := false; return;
  end if;
  moment := clock_timestamp();
  known := s.session_number is not null or s.session_text is not null;
  if coalesce(number < s.session_number, false)
     or coalesce(word collate "C" < s.session_text collate "C", false)
     or (not is_online and s.online and known and not given) then
    outcome := 'ignored';
  elsif s.online = is_online and (
      (not given and (not known or not is_online))
      or coalesce(number = s.session_number, false)
      or coalesce(word collate "C" = s.session_text collate "C", false)) then
    outcome := 'same';
    -- The first that was ever said, and a last will that nothing was known before, begin something.
    if s.since is null then
      update device_status x set since = moment where x.device_id = device;
    end if;
  elsif is_online then
    outcome := 'born';
    ended := s.stay;
    s.flapping := is_unstable(s);
    s.births := array(
      select b from unnest(s.births) b where b > moment - interval '2 minutes' order by b desc
      limit 3);
    s.births := array(select b from unnest(s.births) b order by b) || moment;
    s.flapping := s.flapping or cardinality(s.births) > 3;
    s.stay := gen_random_uuid();
    update device_status x set online = true, session_number = number, session_text = word,
      stay = s.stay, since = case when s.online then s.since else moment end,
      last_seen = case when heard then greatest(x.last_seen, moment) else x.last_seen end,
      births = s.births, flapping = s.flapping
    where x.device_id = device;
    s.online := true;
  else
    outcome := case when s.online then 'gone' else 'same' end;
    ended := s.stay;
    update device_status x set online = false, stay = null,
      session_number = case when given then number else x.session_number end,
      session_text = case when given then word else x.session_text end,
      since = case when s.online then moment else coalesce(x.since, moment) end
    where x.device_id = device;
    s.online := false;
    s.stay := null;
  end if;
  online := s.online;
  stay := s.stay;
  unstable := coalesce(is_unstable(s), false);
end $$;

-- A device whose access ends is not there, and nothing is expected of it until it has access again.
create function reset_device_status() returns trigger language plpgsql as $$
begin
  update device_status s set online = false, stay = null,
    since = case when s.online then clock_timestamp() else s.since end,
    silent = false, silent_seen = null,
    expected_since = case when s.expected_seconds is null then null else clock_timestamp() end
  where s.device_id = new.id;
  return null;
end $$;
create trigger device_access_changed after update of disabled_at on principals
  for each row
  when (new.kind = 'device' and (old.disabled_at is null) <> (new.disabled_at is null))
  execute function reset_device_status();

-- Finds at most `most` devices that have been silent for longer than expected, or are heard again,
-- notes it, and an alert for each of their rooms. Several may work at once: each change is found by
-- one of them. What the bridge could not hear is no silence: after a pause every device has its
-- time to be heard, or 15 minutes.
create function judge_silence(most integer, out moved bigint) language plpgsql as $$
begin
  with listening as (
    select l.since, l.until from device_listening l order by l.until desc limit 1),
  due as (
    select s.device_id, s.silent from device_status s
    join principals p on p.id = s.device_id and p.disabled_at is null
    cross join listening l
    where s.expected_seconds is not null and case
      when s.silent then s.last_seen > coalesce(s.silent_seen, '-infinity')
      else greatest(s.last_seen, s.expected_since)
             + make_interval(secs => s.expected_seconds) < l.until
        and l.since + make_interval(secs => least(s.expected_seconds, 900)) < l.until end
    limit most for update of s skip locked),
  changed as (
    update device_status s set silent = not due.silent, silent_seen = s.last_seen
    from due where s.device_id = due.device_id
    returning s.device_id, s.silent, s.last_seen, s.expected_seconds),
  noted as (
    insert into device_alerts (room_id, device_id, alert)
    select m.room_id, c.device_id, jsonb_strip_nulls(jsonb_build_object(
        'kind', case when c.silent then 'silent' else 'back' end,
        'lastSeen', to_char(c.last_seen at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'expectedSeconds', c.expected_seconds))
    from changed c join members m on m.principal_id = c.device_id
    join rooms r on r.id = m.room_id and r.deleted_at is null)
  select count(*) into moved from changed;
end $$;

-- Appends the next alert to its room, in one transaction with taking it from the list. Of one
-- device and room they come in their order, whoever works. `taken`: there was one; no `seq`: the
-- device has left the room, or the room is locked and it comes later.
create function append_next_alert(out taken boolean, out room uuid, out seq bigint)
language plpgsql as $$
declare
  a device_alerts;
begin
  select * into a from device_alerts x
    where x.due_at <= clock_timestamp() and not exists (
      select 1 from device_alerts e
      where e.device_id = x.device_id and e.room_id = x.room_id and e.id < x.id)
    order by x.id limit 1 for update skip locked;
  taken := a.id is not null;
  if not taken then return; end if;
  room := a.room_id;
  begin
    seq := append_about_device(a.room_id, a.device_id, 'device.alert', a.alert);
    delete from device_alerts x where x.id = a.id;
  exception when lock_not_available or deadlock_detected then
    seq := null;
    update device_alerts x set due_at = clock_timestamp() + interval '2 seconds' where x.id = a.id;
  end;
end $$;
