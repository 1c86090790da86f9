-- Readings of devices: the latest of each metric, a bounded series, and rules that make messages of
-- readings. No foreign keys: their checks would wait for the locks of busy rooms. What is left of
-- devices that have gone ages away.

create table telemetry_latest (
  room_id uuid not null,
  device_id uuid not null,
  metric text not null,
  value jsonb not null,
  -- When it was taken, and when any reading of the metric was stored last.
  at timestamptz not null,
  stored_at timestamptz not null,
  -- Readings so far.
  count bigint not null,
  primary key (room_id, device_id, metric)
) with (fillfactor = 50);

-- What was not stored of what a device said.
create table telemetry_drops (
  room_id uuid not null,
  device_id uuid not null,
  dropped bigint not null,
  primary key (room_id, device_id)
) with (fillfactor = 50);

-- Numeric readings of `seconds` from `at` on: 10 as they come, 60 and 3600 as they are rolled up.
create table telemetry_buckets (
  room_id uuid not null,
  device_id uuid not null,
  metric text not null,
  seconds integer not null,
  at timestamptz not null,
  count bigint not null,
  min double precision not null,
  max double precision not null,
  sum double precision not null,
  last double precision not null,
  last_at timestamptz not null,
  -- Of ten seconds: how much of it the longer buckets have already, and whether there is more.
  rolled_count bigint not null default 0,
  rolled_sum double precision not null default 0,
  fresh boolean not null default false,
  primary key (room_id, device_id, metric, seconds, at)
) with (fillfactor = 70);
create index telemetry_buckets_age on telemetry_buckets (seconds, at);
create index telemetry_buckets_fresh on telemetry_buckets (at) where fresh;

-- The last batch that was stored of each writer: a batch that is sent again changes nothing.
create table telemetry_writers (
  id uuid primary key,
  batch bigint not null,
  at timestamptz not null
);

create table telemetry_rules (
  room_id uuid not null,
  device_id uuid not null,
  id text not null,
  position bigint not null,
  -- {metric, kind, threshold?, hysteresis?, seconds?, unit?}, and a name for this very definition.
  definition jsonb not null,
  uid uuid not null unique,
  -- State: `version` counts its changes.
  version bigint not null default 0,
  fired boolean not null default false,
  -- The last value that became a message.
  value double precision,
  -- Readings that digests have told of.
  seen bigint not null default 0,
  -- When a rule about time is to be looked at.
  due_at timestamptz,
  -- The message of this version, until it is stored: its client id is made of uid and version.
  pending jsonb,
  primary key (room_id, device_id, id)
);
create index telemetry_rules_due on telemetry_rules (due_at) where due_at is not null;
create index telemetry_rules_pending on telemetry_rules (uid) where pending is not null;

-- Stores a batch of readings and answers with the sources (by number, from 1) that are not in their
-- room (any more), of which nothing is stored. Each batch counts once. `latest_of` and `bucket_of`
-- name the source; times are milliseconds since 1970.
-- The rooms are not locked: a reading appends nothing to a log, and a removal that commits at the
-- same time is seen by the next batch.
create function store_telemetry(
  writer uuid, batch_number bigint, room_ids uuid[], device_ids uuid[], drops bigint[],
  latest_of integer[], latest_metrics text[], latest_values text[], latest_ats float8[],
  latest_counts bigint[], bucket_of integer[], bucket_metrics text[], bucket_ats float8[],
  bucket_counts bigint[], mins float8[], maxs float8[], sums float8[], lasts float8[],
  last_ats float8[])
returns setof integer language plpgsql as $$
declare
  present boolean[];
begin
  select array_agg(r.id is not null and p.id is not null and m.role is not null order by s.n)
    into present
  from unnest(room_ids, device_ids) with ordinality s(room, device, n)
  left join rooms r on r.id = s.room and r.deleted_at is null
  left join principals p on p.id = s.device and p.kind = 'device' and p.disabled_at is null
  left join members m on m.room_id = s.room and m.principal_id = s.device;
  insert into telemetry_writers as w (id, batch, at)
    values (writer, batch_number, clock_timestamp())
    on conflict (id) do update set batch = excluded.batch, at = excluded.at
    where w.batch < excluded.batch;
  if found then
    insert into telemetry_drops as t (room_id, device_id, dropped)
    select s.room, s.device, s.lost
    from unnest(room_ids, device_ids, drops) with ordinality s(room, device, lost, n)
    where s.lost > 0 and present[s.n]
    order by 1, 2
    on conflict (room_id, device_id) do update set dropped = t.dropped + excluded.dropped;

    insert into telemetry_latest as t (room_id, device_id, metric, value, at, stored_at, count)
    select room_ids[x.source], device_ids[x.source], x.metric, x.value::jsonb,
           timestamptz 'epoch' + x.at * interval '1 millisecond', clock_timestamp(), x.total
    from unnest(latest_of, latest_metrics, latest_values, latest_ats, latest_counts)
      x(source, metric, value, at, total)
    where present[x.source]
    order by 1, 2, 3
    on conflict (room_id, device_id, metric) do update set
      value = case when excluded.at >= t.at then excluded.value else t.value end,
      at = greatest(t.at, excluded.at),
      stored_at = excluded.stored_at,
      count = t.count + excluded.count;

    insert into telemetry_buckets as t (
      room_id, device_id, metric, seconds, at, count, min, max, sum, last, last_at, fresh)
    select room_ids[x.source], device_ids[x.source], x.metric, 10,
           timestamptz 'epoch' + x.at * interval '1 millisecond', x.total, x.low, x.high, x.sum,
           x.last, timestamptz 'epoch' + x.last_at * interval '1 millisecond', true
    from unnest(bucket_of, bucket_metrics, bucket_ats, bucket_counts, mins, maxs, sums, lasts,
      last_ats) x(source, metric, at, total, low, high, sum, last, last_at)
    where present[x.source]
    order by 1, 2, 3, 5
    on conflict (room_id, device_id, metric, seconds, at) do update set
      count = t.count + excluded.count,
      min = least(t.min, excluded.min),
      max = greatest(t.max, excluded.max),
      sum = t.sum + excluded.sum,
      last = case when excluded.last_at >= t.last_at then excluded.last else t.last end,
      last_at = greatest(t.last_at, excluded.last_at),
      fresh = true;
  end if;
  return query
    select s.n::integer from unnest(present) with ordinality s(there, n) where not s.there;
end $$;

-- Adds what is new in buckets of ten seconds to those of a minute and of an hour, `most` of them, and
-- answers with how many. Several may run: each takes others, and what comes late is added later.
create function roll_telemetry(most integer) returns bigint language plpgsql as $$
declare
  taken bigint;
begin
  with picked as materialized (
    select b.room_id, b.device_id, b.metric, b.at, b.count, b.min, b.max, b.sum, b.last, b.last_at,
           b.count - b.rolled_count as more, b.sum - b.rolled_sum as more_sum
    from telemetry_buckets b
    where b.fresh and b.at < clock_timestamp() - interval '15 seconds'
    order by b.at limit most for update skip locked),
  rolled as (
    update telemetry_buckets b set fresh = false, rolled_count = p.count, rolled_sum = p.sum
    from picked p
    where b.room_id = p.room_id and b.device_id = p.device_id and b.metric = p.metric
      and b.seconds = 10 and b.at = p.at),
  summed as (
    insert into telemetry_buckets as t (
      room_id, device_id, metric, seconds, at, count, min, max, sum, last, last_at)
    select p.room_id, p.device_id, p.metric, s.seconds,
           date_bin(make_interval(secs => s.seconds), p.at, timestamptz 'epoch'),
           sum(p.more)::bigint, min(p.min), max(p.max), sum(p.more_sum),
           (array_agg(p.last order by p.last_at desc))[1], max(p.last_at)
    from picked p cross join (values (60), (3600)) s(seconds)
    where p.more > 0
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
    on conflict (room_id, device_id, metric, seconds, at) do update set
      count = t.count + excluded.count,
      min = least(t.min, excluded.min),
      max = greatest(t.max, excluded.max),
      sum = t.sum + excluded.sum,
      last = case when excluded.last_at >= t.last_at then excluded.last else t.last end,
      last_at = greatest(t.last_at, excluded.last_at))
  select count(*) into taken from picked;
  return taken;
end $$;

-- Replaces the rules of a device in a room; for owners and admins of the room, and for the device's
-- owner in it. `list` are definitions with their ids, in order. A rule that stays as it is keeps
-- its state, any other begins anew. outcome: ok, or a code.
create function put_telemetry_rules(
  room uuid, actor uuid, device uuid, list jsonb, out outcome text)
language plpgsql as $$
declare
  place record;
begin
  place := enter_room(room, actor);
  outcome := place.outcome;
  if outcome <> 'ok' then return; end if;
  if not exists (
      select 1 from members m join devices d on d.id = m.principal_id
      where m.room_id = room and m.principal_id = device) then
    outcome := 'not_found'; return;
  end if;
  if (place.m).role not in ('owner', 'admin') and not exists (
      select 1 from devices d where d.id = device and d.owner_id = actor) then
    outcome := 'forbidden'; return;
  end if;
  delete from telemetry_rules t
  where t.room_id = room and t.device_id = device and not exists (
    select 1 from jsonb_array_elements(list) e
    where e.value ->> 'id' = t.id and e.value - 'id' = t.definition);
  insert into telemetry_rules as t (
    room_id, device_id, id, position, definition, uid, seen, due_at)
  select room, device, e.value ->> 'id', e.n, e.value - 'id', gen_random_uuid(),
         coalesce(l.count, 0),
         case e.value ->> 'kind'
           when 'silence' then clock_timestamp() + s.span
           when 'digest' then
             date_bin(s.span, clock_timestamp(), timestamptz 'epoch') + s.span
         end
  from jsonb_array_elements(list) with ordinality e(value, n)
  cross join lateral (
    select make_interval(secs => coalesce((e.value ->> 'seconds')::float8, 1)) as span) s
  left join telemetry_latest l on l.room_id = room and l.device_id = device
    and l.metric = e.value ->> 'metric'
  on conflict (room_id, device_id, id) do update set position = excluded.position;
end $$;
