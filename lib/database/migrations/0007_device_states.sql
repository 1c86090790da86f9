-- State of devices in rooms: what a device shall be (desired) and what it says that it is (reported).

-- It ends with the membership: a device that is taken into the room again begins without.
create table device_states (
  room_id uuid not null,
  device_id uuid not null,
  -- Null: nothing was ever wished for. The version is the seq of the entry that holds it, so that it
  -- rises for ever, also from one membership to the next.
  desired jsonb,
  desired_version bigint not null default 0,
  desired_at timestamptz,
  desired_by uuid,
  -- Null: nothing is reported. The version counts the changes.
  reported jsonb,
  reported_version bigint not null default 0,
  reported_at timestamptz,
  primary key (room_id, device_id),
  foreign key (room_id, device_id) references members on delete cascade
);
create index device_states_device on device_states (device_id, room_id);

-- Wishes for a state of a device, for members who may write. `expected` is the desired version that
-- the actor saw; null: whatever it is. A wish that changes nothing, and a repeated client id, answer
-- 'duplicate' with the entry that first did it: so may whoever got no answer repeat with either.
-- outcome: ok, duplicate, client_id_reused, not_found, not_a_member, read_only, version_conflict
-- (`version` is the present one).
create function set_desired_state(
  room uuid, actor uuid, device uuid, expected bigint, value jsonb, cid text, hash uuid,
  out outcome text, out seq bigint, out version bigint)
language plpgsql as $$
declare
  place record;
  earlier entries;
  present device_states;
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
  if (place.m).role = 'reader' then outcome := 'read_only'; return; end if;
  if not exists (select 1 from members m join devices d on d.id = m.principal_id
                 where m.room_id = room and m.principal_id = device) then
    outcome := 'not_found'; return;
  end if;
  select * into present from device_states s
    where s.room_id = room and s.device_id = device for update;
  version := coalesce(present.desired_version, 0);
  if present.desired = value then
    outcome := 'duplicate'; seq := version; return;
  end if;
  if expected is not null and expected <> version then
    outcome := 'version_conflict'; return;
  end if;
  select a.new_seq, a.moment into seq, moment from append_entry(
    room, 'device.state', actor, null, device,
    jsonb_build_object('version', (place.r).head + 1, 'desired', value), cid, hash) a;
  version := seq;
  insert into device_states as s
      (room_id, device_id, desired, desired_version, desired_at, desired_by)
    values (room, device, value, version, moment, actor)
    on conflict (room_id, device_id) do update
      set desired = excluded.desired, desired_version = excluded.desired_version,
          desired_at = excluded.desired_at, desired_by = excluded.desired_by;
end $$;

-- Stores what a device says that it is; null: it says nothing any more. It is no entry of the log
-- and takes no lock of the room: the membership's keeps the device in the room until the commit.
-- outcome: ok, with what was reported before and what is desired; duplicate (it is so already);
-- not_found, read_only.
create function report_state(
  room uuid, device uuid, value jsonb, out outcome text, out former jsonb, out wished jsonb)
language plpgsql as $$
declare
  present members;
  held device_states;
begin
  select m.* into present from members m
    join rooms r on r.id = m.room_id and r.deleted_at is null
    join principals p on p.id = m.principal_id and p.kind = 'device' and p.disabled_at is null
    where m.room_id = room and m.principal_id = device
    for key share of m;
  if present.role is null then outcome := 'not_found'; return; end if;
  if present.role = 'reader' then outcome := 'read_only'; return; end if;
  select * into held from device_states s
    where s.room_id = room and s.device_id = device for update;
  if held.reported is not distinct from value then outcome := 'duplicate'; return; end if;
  outcome := 'ok';
  former := held.reported;
  insert into device_states as s (room_id, device_id, reported, reported_version, reported_at)
    values (room, device, value, 1, date_trunc('milliseconds', clock_timestamp()))
    on conflict (room_id, device_id) do update
      set reported = excluded.reported, reported_version = s.reported_version + 1,
          reported_at = excluded.reported_at
    returning s.desired into wished;
end $$;
