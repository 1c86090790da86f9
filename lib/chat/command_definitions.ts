import type { Principal } from "../auth/principal.ts";
import type { CommandDefinition } from "../command_schemas.ts";
import { ConfabError } from "../errors.ts";
import type { PrincipalId, RoomId } from "../protocol.ts";
import * as store from "../store/command_definitions.ts";
import type { ChatContext } from "./context.ts";
import { getDevice } from "./devices.ts";
import { getRoom } from "./rooms.ts";

/** What a device of `owner` takes; null: every command. Throws `not_found`. */
export async function getDefinitions(
  context: ChatContext,
  owner: Principal,
  device: PrincipalId,
): Promise<CommandDefinition[] | null> {
  await getDevice(context, owner, device);
  return await store.readDefinitions(context.db, device);
}

/** Says what a device of `owner` takes from now on; null: every command. Throws `not_found`. */
export async function setDefinitions(
  context: ChatContext,
  owner: Principal,
  device: PrincipalId,
  definitions: CommandDefinition[] | null,
): Promise<CommandDefinition[] | null> {
  await getDevice(context, owner, device);
  if (definitions === null) await store.deleteDefinitions(context.db, device, owner.id);
  else await store.writeDefinitions(context.db, device, owner.id, JSON.stringify(definitions));
  return definitions;
}

/** What a device takes, for members of a room that it is in. Throws `not_found`, `not_a_member`. */
export async function getDefinitionsIn(
  context: ChatContext,
  member: Principal,
  room: RoomId,
  device: PrincipalId,
): Promise<CommandDefinition[] | null> {
  const found = await store.readDefinitionsIn(context.db, room, device, member.id);
  if (found === undefined) {
    const seen = await getRoom(context, member, room);
    throw new ConfabError("role" in seen ? "not_found" : "not_a_member");
  }
  return found;
}
