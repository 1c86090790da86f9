-- What concerns devices in the log: the command that a message carries, and entries about a device.

-- As before, with what the message carries besides its content: `payload` of its entry, which only
-- functions of this schema write (a command), never a send. For a new column at the end the view
-- can be replaced in place, and the functions that answer with its rows follow it.
create or replace view log_entries as
select e.room_id, e.seq, e.type, e.at, e.target, e.payload,
       a.id as actor_id, a.kind as actor_kind, a.name as actor_name,
       s.id as subject_id, s.kind as subject_kind, s.name as subject_name,
       m.seq as message_seq, m.at as message_at, m.client_id, m.text, m.data, m.metadata,
       m.reply_to, m.edited_at, m.deleted_at, m.updated_seq,
       p.id as sender_id, p.kind as sender_kind, p.name as sender_name,
       m.payload as message_payload
from entries e
join principals a on a.id = e.actor_id
left join principals s on s.id = e.subject_id
left join entries m on m.room_id = e.room_id
  and m.seq = case when e.type = 'message.created' then e.seq else e.target end
left join principals p on p.id = m.actor_id;

-- As before, with that payload.
create or replace view entry_bytes as
select e.room_id, e.seq, e.type,
       coalesce(octet_length(m.text), 0) + coalesce(octet_length(m.data::text), 0)
         + coalesce(octet_length(m.metadata::text), 0)
         + coalesce(octet_length(e.payload::text), 0)
         + case when e.type = 'message.created' then 0
                else coalesce(octet_length(m.payload::text), 0) end as bytes
from entries e
left join entries m on m.room_id = e.room_id
  and m.seq = case when e.type = 'message.created' then e.seq else e.target end;

-- Appends one entry about a device that is in the room, in its own name, and answers with its seq;
-- no seq when the device is not in the room (any more). For what Confab itself finds out.
create function append_about_device(room uuid, device uuid, kind text, value jsonb, out seq bigint)
language plpgsql as $$
declare
  place record;
  made record;
begin
  place := enter_room(room, device);
  if place.outcome <> 'ok' then return; end if;
  made := append_entry(room, kind, device, null, device, value);
  seq := made.new_seq;
end $$;
