import { z } from "zod";
import {
  getDefinitions,
  getDefinitionsIn,
  setDefinitions,
} from "../lib/chat/command_definitions.ts";
import { commandDefinitions } from "../lib/command_schemas.ts";
import { idSchema } from "../lib/schemas.ts";
import type { Api } from "./api.ts";
import { idParams } from "./params.ts";

const body = z.strictObject({ commands: commandDefinitions });
const shown = z.object({ commands: commandDefinitions });
const access = "signed-in";
const tag = "Devices";
const path = "/v1/devices/{id}/commands";

/** What devices say that they take. */
export function definitionRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/devices/{id}/commands",
    name: "getRoomCommands",
    tag,
    summary: "The commands that a device of a room takes",
    access,
    params: z.object({ room: idSchema, id: idSchema }),
    responses: { 200: { description: "null: any command", schema: shown } },
    errors: ["not_a_member"],
  }, async ({ context, principal, params: { room, id } }) => ({
    status: 200,
    body: { commands: await getDefinitionsIn(context.chat, principal, room, id) },
  }));
  api.add({
    method: "GET",
    path,
    name: "getCommands",
    tag,
    summary: "The commands that one of one's devices takes",
    access,
    params: idParams,
    responses: { 200: { description: "null: any command", schema: shown } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { commands: await getDefinitions(context.chat, principal, params.id) },
  }));
  api.add({
    method: "PUT",
    path,
    name: "setCommands",
    tag,
    summary: "Say which commands one of one's devices takes",
    description: "Others are refused from then on. Dangerous ones must be confirmed by whoever " +
      "sends them; `minRole` says who may.",
    access,
    params: idParams,
    body,
    example: {
      commands: [
        { name: "start", description: "Start pumping", args: { speed: "1 to 5" } },
        { name: "reset", dangerous: true, minRole: "admin" },
      ],
    },
    responses: { 200: { description: "The commands as they are now", schema: shown } },
  }, async ({ context, principal, params, body }) => ({
    status: 200,
    body: { commands: await setDefinitions(context.chat, principal, params.id, body.commands) },
  }));
}
