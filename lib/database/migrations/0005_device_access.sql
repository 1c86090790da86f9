-- Access of devices: two secrets during a rotation, an end that can be taken back, and claims.

alter table devices
  -- The generation whose username is the device's plain id; that of all others is `id.generation`.
  add column plain_generation integer not null default 1,
  -- The secret before, which is good until then.
  add column former_generation integer,
  add column former_until timestamptz,
  -- Gone for good. A device that is disabled but not deleted may come back.
  add column deleted_at timestamptz;

-- What firmware was given before there were other usernames stays as it is.
update devices set plain_generation = generation where generation > 1;
update devices d set deleted_at = p.disabled_at
  from principals p where p.id = d.id and p.disabled_at is not null;

-- Devices without credentials that wait for a person to take them in. Codes are kept as keyed
-- hashes: whoever reads this table can neither approve nor fetch anything.
create table device_claims (
  id uuid primary key,
  device_hash text not null unique,
  user_hash text not null unique,
  -- What the device calls itself.
  name text,
  expires_at timestamptz not null,
  -- Set by the approval.
  device_id uuid references devices on delete cascade,
  -- The credentials were fetched.
  spent_at timestamptz
);
create index device_claims_expiry on device_claims (expires_at);

-- Makes the device of a claim and joins it to rooms (in the order of their ids, as everywhere that
-- several are locked), all of it or nothing. The name is the first that is given: chosen, the
-- device's own, fallback. outcome: ok with the seq of each joining; duplicate for the same person's
-- repeat; not_found; claim_expired; forbidden (too many devices, or the person is disabled); or what
-- put_member says of the room `refused`.
create function approve_claim(
  code text, person uuid, candidate uuid, chosen text, fallback text, places uuid[], most integer,
  out outcome text, out device uuid, out refused uuid, out seqs bigint[])
language plpgsql as $$
declare
  claim device_claims;
  place uuid;
  done record;
begin
  select * into claim from device_claims c where c.user_hash = code for update;
  if claim.id is null then outcome := 'not_found'; return; end if;
  if claim.device_id is not null then
    select d.id into device from devices d
      where d.id = claim.device_id and d.owner_id = person and d.deleted_at is null;
    outcome := case when device is null then 'not_found' else 'duplicate' end;
    return;
  end if;
  if claim.expires_at <= clock_timestamp() then outcome := 'claim_expired'; return; end if;
  if (select count(*) from devices d where d.owner_id = person and d.deleted_at is null) >= most
     or not exists (select 1 from principals o where o.id = person and o.disabled_at is null) then
    outcome := 'forbidden'; return;
  end if;
  outcome := 'ok';
  seqs := '{}';
  begin
    insert into principals (id, kind, role, name)
      values (candidate, 'device', 'device', coalesce(chosen, claim.name, fallback));
    insert into devices (id, owner_id) values (candidate, person);
    foreach place in array places loop
      select * into done from put_member(place, person, candidate, null);
      if done.outcome <> 'ok' then
        outcome := done.outcome;
        refused := place;
        raise exception 'A room refuses the device' using errcode = 'CL001';
      end if;
      seqs := seqs || done.seq;
    end loop;
    -- The device may have been about to ask for the last time.
    update device_claims c set device_id = candidate,
      expires_at = greatest(c.expires_at, clock_timestamp() + interval '1 minute')
    where c.id = claim.id;
    device := candidate;
  exception when sqlstate 'CL001' then
    -- Everything since `begin` is undone; what the variables say stays.
    seqs := '{}';
  end;
end $$;
