-- What must not happen beside something else: devices beyond the bound, or of an account that is
-- being erased; and statuses that a bridge writes after its term.

-- Makes the device of a claim and joins it to rooms (in the order of their ids, as everywhere that
-- several are locked), all of it or nothing. The name is the first that is given: chosen, the
-- device's own, fallback. As before, but exact beside others who make devices of this person: these
-- are counted once the person is locked, which comes after the rooms as in every transaction.
-- outcome: ok with the seq of each joining; duplicate for the same person's repeat; not_found;
-- claim_expired; forbidden (too many devices, or the person is disabled); or what put_member says of
-- the room `refused`.
create or replace function approve_claim(
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
  if not exists (select 1 from principals o where o.id = person and o.disabled_at is null) then
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
    perform 1 from principals o where o.id = person and o.disabled_at is null for no key update;
    if not found or (select count(*) from devices d
                     where d.owner_id = person and d.deleted_at is null) > most then
      outcome := 'forbidden';
      raise exception 'The person can have no more devices' using errcode = 'CL001';
    end if;
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

-- As device_said, for the holder of a lease, and nothing (no outcome) for others. The lease is looked
-- at with the device's status in hand: what the next holder writes of it comes after this.
create function device_said_in_term(
  lease text, bearer text, in_term bigint,
  device uuid, is_online boolean, number bigint, word text, heard boolean,
  out outcome text, out online boolean, out stay uuid, out ended uuid, out unstable boolean)
language plpgsql as $$
begin
  perform 1 from device_status s where s.device_id = device for update;
  if not found then
    insert into device_status (device_id) select d.id from devices d where d.id = device
      on conflict do nothing;
    perform 1 from device_status s where s.device_id = device for update;
  end if;
  if not exists (
      select 1 from leases l where l.name = lease and l.holder = bearer and l.term = in_term
        and l.expires_at > clock_timestamp()) then
    return;
  end if;
  select s.outcome, s.online, s.stay, s.ended, s.unstable
    into outcome, online, stay, ended, unstable
    from device_said(device, is_online, number, word, heard) s;
end $$;
