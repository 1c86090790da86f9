import mqtt, { type MqttClient } from "mqtt";
import type { BrokerClient } from "./broker_clients.ts";

/** How long connecting and leaving again may take. */
const DEADLINE_MS = 3_000;
/** The session was there: it stays, for as long as the broker keeps any. */
const SESSION_SECONDS = 7 * 86_400;

/**
 * Takes back the last will that waits for a device (MQTT 5's will delay), left by a connection with
 * a secret that has ended: connects as the device for a moment, which is what takes a will back
 * (section 3.1.3.2.2). Its session stays, and nothing that waits in it is acknowledged. Rejects when
 * the broker does not answer.
 */
export async function takeBackWill(
  url: string,
  { username, password, clientid }: Pick<BrokerClient, "username" | "password" | "clientid">,
): Promise<void> {
  const client = mqtt.connect(url, {
    username,
    password,
    clientId: clientid,
    protocolVersion: 5,
    clean: false,
    reconnectPeriod: 0,
    connectTimeout: DEADLINE_MS,
    manualConnect: true,
    timerVariant: "native",
    properties: { sessionExpiryInterval: SESSION_SECONDS, receiveMaximum: 1 },
  });
  // Never called back: what comes is not acknowledged.
  client.handleMessage = () => {};
  const late = setTimeout(() => client.end(true), 2 * DEADLINE_MS);
  try {
    const isKept = await connected(client);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    const properties = { sessionExpiryInterval: isKept ? SESSION_SECONDS : 0 };
    client.end(false, { reasonCode: 0, properties });
    await closed;
  } finally {
    clearTimeout(late);
    client.end(true);
  }
}

/** Resolves with whether there was a session. */
function connected(client: MqttClient): Promise<boolean> {
  return new Promise((resolve, reject) => {
    client.once("connect", ({ sessionPresent }) => resolve(sessionPresent));
    client.on("error", reject);
    client.once("close", () => reject(new Error("The broker closed the connection")));
    client.connect();
  });
}
