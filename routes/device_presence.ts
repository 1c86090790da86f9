import { z } from "zod";
import { deviceStatus, expectDevice } from "../lib/chat/device_presence.ts";
import { publicPrincipal, timestamp } from "../lib/entry_schemas.ts";
import type { DeviceStatus } from "../lib/protocol.ts";
import type { Api } from "./api.ts";
import { idParams } from "./params.ts";

const expectedSeconds = z.number().int().min(10).max(604_800).nullable();

const status = z.object({
  device: publicPrincipal,
  online: z.boolean().meta({ description: "By its last birth or last will" }),
  unstable: z.boolean().meta({
    description: "It came more than three times within two minutes, and has not stopped for two",
  }),
  session: z.union([z.number(), z.string()]).nullable().meta({
    description: "The newest that was heard of, null without one: births and last wills of older " +
      "sessions count for nothing, and the device is told `stale_session`",
  }),
  since: timestamp.nullable().meta({
    description: "Since when it is online, or not; null: it never said",
  }),
  lastSeen: timestamp.nullable().meta({
    description: "When it was last heard, up to 15 seconds late; null: never",
  }),
  expectedSeconds: expectedSeconds.meta({
    description: "It should be heard so often; null: nothing is expected",
  }),
  silent: z.boolean().meta({
    description: "It has not been heard for longer than that, and its rooms were told",
  }),
}).meta({ id: "DeviceStatusReport" });

const body = z.strictObject({ expectedSeconds });
const tag = "Devices";
const access = "signed-in";

/** Whether devices are there, and how often they should be heard. */
export function devicePresenceRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/devices/{id}/status",
    name: "getDeviceStatus",
    tag,
    summary: "Whether a device is there",
    description: "For its owner and for those who are in a room with it.",
    access,
    params: idParams,
    responses: { 200: { description: "As it said itself", schema: status } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: await deviceStatus(context.chat, principal, params.id),
  }));
  api.add({
    method: "PUT",
    path: "/v1/devices/{id}/expectation",
    name: "expectDevice",
    tag,
    summary: "Say how often a device should be heard",
    description: "For its owner. When it is not heard for longer, an entry `device.alert` of the " +
      "kind `silent` comes in each of its rooms, and one of the kind `back` once it is heard again. " +
      "While no bridge listens nobody is silent. null: nothing is expected any more.",
    access,
    params: idParams,
    body,
    example: { expectedSeconds: 60 },
    responses: { 200: { description: "The device as it is now", schema: status } },
  }, async ({ context, principal, params, body }) => ({
    status: 200,
    body: await expectDevice(context.chat, principal, params.id, body.expectedSeconds),
  }));
}

true satisfies [z.output<typeof status>, DeviceStatus] extends
  [DeviceStatus, z.output<typeof status>] ? true
  : never;
