import { z } from "zod";
import { getState, listStates, setDesired } from "../lib/chat/device_states.ts";
import { deviceState } from "../lib/entry_schemas.ts";
import { clientIdSchema, idSchema, seqSchema, stateSchema } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { decimal, next, pageOf, roomParams } from "./params.ts";
import { listOf } from "./responses.ts";

const params = z.object({ room: idSchema, id: idSchema });
/** States may be large, so pages are short. */
const limit = decimal(z.number().int().min(1).max(50)).default(50);
const changed = z.object({
  state: deviceState,
  duplicate: z.boolean().meta({ description: "It was so before, nothing new was stored" }),
});
const change = {
  version: seqSchema.exactOptional().meta({
    description: "The `desiredVersion` that one saw; with another one by now: `version_conflict`",
  }),
  clientId: clientIdSchema.exactOptional(),
};
const conflicts = [
  "not_a_member",
  "read_only",
  "client_id_reused",
  "version_conflict",
  "payload_too_large",
] as const;
const access = "signed-in";
const tag = "Devices";
const path = "/v1/rooms/{room}/devices/{id}/state";

/** What the devices of a room are, and what they shall be. */
export function deviceStateRoutes(api: Api): void {
  readRoutes(api);
  const responses = { 200: { description: "The state as it is now", schema: changed } };
  api.add({
    method: "PUT",
    path,
    name: "setDesiredState",
    tag,
    summary: "Wish for a state of a device",
    description: "For members who may write. The whole state is replaced; members that are null " +
      "are left out. The device gets it as soon as it is there, with what of it is left to do.",
    access,
    params,
    body: z.strictObject({ desired: stateSchema, ...change }),
    example: { desired: { speed: 3, limits: { high: 90 } }, version: 41 },
    responses,
    errors: conflicts,
  }, async ({ context, principal, params: { room, id }, body }) => ({
    status: 200,
    body: await setDesired(context.chat, principal, { room, device: id }, body, { merge: false }),
  }));
  api.add({
    method: "PATCH",
    path,
    name: "changeDesiredState",
    tag,
    summary: "Change a part of the state that is wished for",
    description: "For members who may write. `desired` is a merge patch (RFC 7386): what it does " +
      "not name stays, and null removes. Without `version`, changes of several people all count.",
    access,
    params,
    body: z.strictObject({ desired: stateSchema, ...change }),
    example: { desired: { speed: 4, limits: null } },
    responses,
    errors: conflicts,
  }, async ({ context, principal, params: { room, id }, body }) => ({
    status: 200,
    body: await setDesired(context.chat, principal, { room, device: id }, body, { merge: true }),
  }));
}

function readRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/devices",
    name: "listRoomDevices",
    tag,
    summary: "The devices of a room with their states",
    description: "The signal `state` tells what they report from then on, the entry " +
      "`device.state` what is wished for.",
    access,
    params: roomParams,
    query: z.strictObject({ limit, next: next.exactOptional() }),
    responses: { 200: { description: "By id", schema: listOf(deviceState) } },
    errors: ["invalid_cursor"],
  }, async ({ context, principal, params, query }) => ({
    status: 200,
    body: await listStates(context.chat, principal, params.room, pageOf(query)),
  }));
  api.add({
    method: "GET",
    path,
    name: "getDeviceState",
    tag,
    summary: "What a device in a room is, and what it shall be",
    access,
    params,
    responses: {
      200: { description: "Desired, reported, and the difference", schema: deviceState },
    },
  }, async ({ context, principal, params: { room, id } }) => ({
    status: 200,
    body: await getState(context.chat, principal, { room, device: id }),
  }));
}
