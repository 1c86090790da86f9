import { z } from "zod";
import {
  createDevice,
  deleteDevice,
  disableDevice,
  enableDevice,
  endFormerSecret,
  getDevice,
  listDevices,
  renameDevice,
  rotateDevice,
} from "../lib/chat/devices.ts";
import { nameSchema } from "../lib/schemas.ts";
import { device } from "./account_responses.ts";
import type { Api } from "./api.ts";
import { credentialsOf, requireBroker, withAccess } from "./device_access.ts";
import { claimRoutes } from "./device_claims.ts";
import { idParams, pageOf, pageQuery } from "./params.ts";
import { listOf } from "./responses.ts";

const body = z.strictObject({ name: nameSchema });
const newDevice = z.strictObject({
  name: nameSchema,
  kind: z.enum(["device", "person"]).default("device")
    .meta({ description: "person: with these credentials one speaks MQTT oneself" }),
});
const rotation = z.strictObject({
  graceSeconds: z.number().int().min(0).max(604_800).default(0)
    .meta({ description: "How long the former password is good beside the new one" }),
});
const one = z.object({ device });
const access = "signed-in";
const tag = "Devices";

/** One's things that speak MQTT. */
export function deviceRoutes(api: Api): void {
  credentialRoutes(api);
  accessRoutes(api);
  claimRoutes(api);
  api.add({
    method: "GET",
    path: "/v1/devices",
    name: "listDevices",
    tag,
    summary: "One's devices",
    access,
    query: pageQuery,
    responses: { 200: { description: "The oldest first", schema: listOf(device) } },
    errors: ["invalid_cursor"],
  }, async ({ context, principal, query }) => ({
    status: 200,
    body: await listDevices(context.chat, principal, pageOf(query)),
  }));
  api.add({
    method: "GET",
    path: "/v1/devices/{id}",
    name: "getDevice",
    tag,
    summary: "One of one's devices",
    access,
    params: idParams,
    responses: { 200: { description: "The device", schema: one } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { device: await getDevice(context.chat, principal, params.id) },
  }));
  api.add({
    method: "PATCH",
    path: "/v1/devices/{id}",
    name: "renameDevice",
    tag,
    summary: "Give a device another name",
    access,
    params: idParams,
    body,
    example: { name: "Soil sensor, north" },
    responses: { 200: { description: "The device as it is now", schema: one } },
  }, async ({ context, principal, params, body }) => ({
    status: 200,
    body: { device: await renameDevice(context.chat, principal, params.id, body.name) },
  }));
  api.add({
    method: "DELETE",
    path: "/v1/devices/{id}",
    name: "deleteDevice",
    tag,
    summary: "End a device",
    description: "Its connections, memberships and credentials end; its messages stay.",
    access,
    params: idParams,
    responses: { 204: { description: "The device is gone" } },
  }, async ({ context, principal, params }) => {
    await deleteDevice(context.chat, principal, params.id);
    return { status: 204 };
  });
}

function credentialRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/devices",
    name: "createDevice",
    tag,
    summary: "Make a device and get its MQTT credentials",
    description:
      "The password is shown this once. Add the device to rooms as a member; one of the " +
      "kind `person` is in all rooms that its owner is in.",
    access,
    body: newDevice,
    example: { name: "Soil sensor" },
    responses: { 201: { description: "The device and its credentials", schema: withAccess } },
    errors: ["forbidden"],
  }, async ({ context, principal, body }) => {
    const endpoint = requireBroker(context);
    const made = await createDevice(context.chat, principal, body.name, body.kind);
    return { status: 201, body: await credentialsOf(context, endpoint, made) };
  });
  api.add({
    method: "POST",
    path: "/v1/devices/{id}/rotate",
    name: "rotateDevice",
    tag,
    summary: "Replace a device's password",
    description:
      "The former one and what is connected with it end, at once or after a grace. The " +
      "new one has another username; the client id and the topics stay. While a former password " +
      "is good, rotating with a grace answers with the same new one, because an answer may get " +
      "lost; without a grace both end and a third is made.",
    access,
    params: idParams,
    body: rotation,
    example: { graceSeconds: 3600 },
    responses: { 200: { description: "The new credentials", schema: withAccess } },
  }, async ({ context, principal, params, body }) => {
    const endpoint = requireBroker(context);
    const rotated = await rotateDevice(context.chat, principal, params.id, body.graceSeconds);
    return { status: 200, body: await credentialsOf(context, endpoint, rotated) };
  });
  api.add({
    method: "DELETE",
    path: "/v1/devices/{id}/former-secret",
    name: "endFormerSecret",
    tag,
    summary: "End a device's former password before its grace is over",
    description: "What is connected with it ends; the present password stays. Where there is no " +
      "former one, nothing changes.",
    access,
    params: idParams,
    responses: { 200: { description: "The device as it is now", schema: one } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { device: await endFormerSecret(context.chat, principal, params.id) },
  }));
}

function accessRoutes(api: Api): void {
  api.add({
    method: "POST",
    path: "/v1/devices/{id}/disable",
    name: "disableDevice",
    tag,
    summary: "Take a device's access away",
    description: "Its connections end, its sends are refused and it hears nothing more; it stays " +
      "in its rooms, and can be enabled again.",
    access,
    params: idParams,
    responses: { 200: { description: "The device as it is now", schema: one } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { device: await disableDevice(context.chat, principal, params.id) },
  }));
  api.add({
    method: "POST",
    path: "/v1/devices/{id}/enable",
    name: "enableDevice",
    tag,
    summary: "Give a disabled device its access back",
    description: "With the same password. What it missed it asks for, like any device that was " +
      "away.",
    access,
    params: idParams,
    responses: { 200: { description: "The device as it is now", schema: one } },
  }, async ({ context, principal, params }) => ({
    status: 200,
    body: { device: await enableDevice(context.chat, principal, params.id) },
  }));
}
