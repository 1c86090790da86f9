-- A command is its sender's as long as the sender may give it: nobody who was taken out of a room,
-- or whose role in it was lowered, is obeyed hours later. Its time is over then, and the worker
-- settles it like any other that was not answered in time. (One statement, however many there are:
-- they must not keep a removal from happening. Who removes holds the room's lock.)
create function end_commands() returns trigger language plpgsql as $$
begin
  update commands c set expires_at = clock_timestamp()
    where c.room_id = old.room_id and c.sender_id = old.principal_id and c.status = 'queued'
      and c.expires_at > clock_timestamp();
  return null;
end $$;
create trigger members_end_commands after delete on members for each row
  execute function end_commands();
create trigger members_end_commands_of_role after update of role on members for each row
  when (array_position(array['reader', 'member', 'admin', 'owner'], new.role)
        < array_position(array['reader', 'member', 'admin', 'owner'], old.role))
  execute function end_commands();
