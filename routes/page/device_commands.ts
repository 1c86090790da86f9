import type { DeviceAnswer } from "../../lib/client/mod.ts";

/** Ready-made lines for the Mosquitto command line tools. */
export interface DeviceCommands {
  subscribe: string;
  publish: string;
}

/**
 * Lines that listen to a room and write into it as this device. Topics may hold `{room}` or `+`
 * where the room's id belongs. Where the broker takes a client id only as it is, the two lines
 * cannot run at the same time.
 */
export function deviceCommands({ mqtt }: DeviceAnswer, room: string): DeviceCommands {
  const topic = (name: string) => {
    const known = mqtt.topics[name] ?? `confab/d/${mqtt.username}/rooms/{room}/${name}`;
    return known.replace(/\{room\}|\+/g, room);
  };
  const access = [
    `-h ${quoted(mqtt.host)}`,
    `-p ${mqtt.port}`,
    ...(mqtt.tls ? ["--tls-use-os-certs"] : []),
    `-u ${quoted(mqtt.username)}`,
    `-P ${quoted(mqtt.password)}`,
  ].join(" ");
  const events = quoted(topic("events"));
  const send = quoted(topic("send"));
  const id = (suffix: string) =>
    quoted(mqtt.clientIdSuffix ? mqtt.clientId + suffix : mqtt.clientId);
  return {
    subscribe: `mosquitto_sub ${access} -i ${id("-listen")} -q 1 -t ${events}`,
    publish: `mosquitto_pub ${access} -i ${id("-send")} -q 1 -t ${send} -m 'Hello from a device'`,
  };
}

/**
 * All that a device needs to connect, as the JSON text of its QR code:
 * `{url: "mqtt://host:port", clientId, username, password, prefix}`; `mqtts` means TLS.
 */
export function accessText({ mqtt }: DeviceAnswer): string {
  const { host, port, tls, clientId, username, password, topics } = mqtt;
  const address = host.includes(":") ? `[${host}]` : host;
  const prefix = /^(.*\/|)d\//.exec(topics.send ?? "confab/d/")?.[1] ?? "";
  const url = `${tls ? "mqtts" : "mqtt"}://${address}:${port}`;
  return JSON.stringify({ url, clientId, username, password, prefix });
}

/** Left alone where a shell needs no quotes. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
