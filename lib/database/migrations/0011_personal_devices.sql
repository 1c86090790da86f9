-- MQTT credentials of people. A personal one is a member of nothing itself: what it says is said by
-- its owner, and it hears what the owner's rooms say.
alter table devices
  add column personal boolean not null default false,
  -- Whose memberships count.
  add column member_id uuid not null
    generated always as (case when personal then owner_id else id end) stored;
create index devices_member on devices (member_id);
