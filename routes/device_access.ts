import { z } from "zod";
import type { DeviceWithGeneration } from "../lib/chat/devices.ts";
import { ConfabError } from "../lib/errors.ts";
import { device, mqttAccess } from "./account_responses.ts";
import type { RouteContext } from "./context.ts";
import { deviceTopics, personalTopics } from "./device_topics.ts";
import type { MqttEndpoint } from "./mqtt_endpoint.ts";

/** A device and its credentials. */
export const withAccess = z.object({ device, mqtt: mqttAccess });

/** Asked before anything changes: a password that is shown once must be of use. */
export function requireBroker(context: RouteContext): MqttEndpoint {
  const endpoint = context.mqttEndpoint();
  if (endpoint === undefined) throw new ConfabError("unavailable", "No MQTT broker is known here");
  return endpoint;
}

/** What a device is told about the broker; the password is in no other answer. */
export async function credentialsOf(
  context: RouteContext,
  { host, port, tls }: MqttEndpoint,
  { device, generation, username }: DeviceWithGeneration,
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
    username,
    password,
    topics: (device.kind === "person" ? personalTopics : deviceTopics)(prefix, id),
  };
  return { device, mqtt };
}
