import { newId } from "../ids.ts";
import type { PrincipalId, RoomId } from "../protocol.ts";
import { createHost } from "../store/welcome.ts";
import type { ChatContext } from "./context.ts";
import { createDevice } from "./devices.ts";
import { setMember } from "./members.ts";
import { createRoom } from "./rooms.ts";

/** The room and the device that a first start offers to try. */
export interface Welcome {
  room: RoomId;
  device: PrincipalId;
}

/**
 * Makes a public room with a device in it, both belonging to a host who cannot log in: so that
 * embedded mode has something to talk to before anybody has an account.
 */
export async function makeWelcome(context: ChatContext): Promise<Welcome> {
  const host = { id: newId(), kind: "user", role: "user", name: "Confab" } as const;
  await createHost(context.db, host.id, host.name);
  const room = await createRoom(context, host, {
    name: "Lobby",
    topic: "Everybody may join. The first device is here already.",
    visibility: "public",
  });
  const { device } = await createDevice(context, host, "First device");
  await setMember(context, host, room.id, device.id, undefined);
  return { room: room.id, device: device.id };
}
