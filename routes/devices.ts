import { z } from "zod";
import {
  createDevice,
  deleteDevice,
  type DeviceWithGeneration,
  getDevice,
  listDevices,
  renameDevice,
  rotateDevice,
} from "../lib/chat/devices.ts";
import { ConfabError } from "../lib/errors.ts";
import { nameSchema } from "../lib/schemas.ts";
import { device, mqttAccess } from "./account_responses.ts";
import type { Api } from "./api.ts";
import type { RouteContext } from "./context.ts";
import { deviceTopics } from "./device_topics.ts";
import type { MqttEndpoint } from "./mqtt_endpoint.ts";
import { idParams, pageOf, pageQuery } from "./params.ts";
import { listOf } from "./responses.ts";

const body = z.strictObject({ name: nameSchema });
const one = z.object({ device });
const withAccess = z.object({ device, mqtt: mqttAccess });
const access = "signed-in";
const tag = "Devices";

/** One's things that speak MQTT. */
export function deviceRoutes(api: Api): void {
  credentialRoutes(api);
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
    description: "The password is shown this once. Add the device to rooms as a member.",
    access,
    body,
    example: { name: "Soil sensor" },
    responses: { 201: { description: "The device and its credentials", schema: withAccess } },
    errors: ["forbidden"],
  }, async ({ context, principal, body }) => {
    const endpoint = requireBroker(context);
    const made = await createDevice(context.chat, principal, body.name);
    return { status: 201, body: await credentialsOf(context, endpoint, made) };
  });
  api.add({
    method: "POST",
    path: "/v1/devices/{id}/rotate",
    name: "rotateDevice",
    tag,
    summary: "Replace a device's password",
    description: "The former one and what is connected with it end.",
    access,
    params: idParams,
    responses: { 200: { description: "The new credentials", schema: withAccess } },
  }, async ({ context, principal, params }) => {
    const endpoint = requireBroker(context);
    const rotated = await rotateDevice(context.chat, principal, params.id);
    return { status: 200, body: await credentialsOf(context, endpoint, rotated) };
  });
}

/** Asked before anything changes: a password that is shown once must be of use. */
function requireBroker(context: RouteContext): MqttEndpoint {
  const endpoint = context.mqttEndpoint();
  if (endpoint === undefined) throw new ConfabError("unavailable", "No MQTT broker is known here");
  return endpoint;
}

async function credentialsOf(
  context: RouteContext,
  { host, port, tls }: MqttEndpoint,
  { device, generation }: DeviceWithGeneration,
): Promise<z.output<typeof withAccess>> {
  const { id } = device;
  const password = await context.secretOf(id, generation);
  const { prefix, broker } = context.config.mqtt;
  const mqtt = {
    host,
    port,
    tls,
    clientId: id,
    clientIdSuffix: broker === undefined,
    username: id,
    password,
    topics: deviceTopics(prefix, id),
  };
  return { device, mqtt };
}
