import { roomPresence } from "../lib/chat/presence.ts";
import type { Api } from "./api.ts";
import { roomParams } from "./params.ts";
import { roomPresence as roomPresenceSchema } from "./responses.ts";

/** Who is online. */
export function presenceRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/presence",
    name: "getPresence",
    tag: "Members",
    summary: "Who in a room is online, people and devices",
    description: "For members. Whoever closes the last connection stays online for 10 seconds, " +
      "whoever was on a server that died for up to 45; a device is online from its birth to its last " +
      "will. Read it when a room is opened and after every reconnect; the signal `presence` tells " +
      "what changes.",
    access: "signed-in",
    params: roomParams,
    responses: { 200: { description: "As far as it is known", schema: roomPresenceSchema } },
    errors: ["not_a_member"],
  }, async ({ context, principal, params }) => {
    const { presenceMembers } = context.config.limits;
    const body = await roomPresence(context.chat, principal, params.room, presenceMembers);
    return { status: 200, body };
  });
}
