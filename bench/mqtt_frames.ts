import { generate } from "mqtt-packet";

/** The packets of MQTT 3.1.1 that load generators send. */
export function mqttConnect(
  clientId: string,
  credentials?: { username: string; password: string },
): Uint8Array {
  return bytesOf({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    clientId,
    keepalive: 0,
    ...(credentials === undefined ? {} : {
      username: credentials.username,
      // deno-lint-ignore no-node-globals -- the package takes nothing else
      password: Buffer.from(credentials.password),
    }),
  });
}

export function mqttSubscribe(topic: string, qos: 0 | 1 = 0): Uint8Array {
  return bytesOf({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos }] });
}

/** QoS 1 with a `messageId`, otherwise 0. */
export function mqttPublish(topic: string, payload: string, messageId?: number): Uint8Array {
  return bytesOf({
    cmd: "publish",
    topic,
    payload,
    qos: messageId === undefined ? 0 : 1,
    dup: false,
    retain: false,
    ...(messageId === undefined ? {} : { messageId }),
  });
}

/** Acknowledges a message of QoS 1. */
export function mqttPuback(messageId: number): Uint8Array {
  return new Uint8Array([0x40, 2, messageId >> 8, messageId & 0xff]);
}

function bytesOf(packet: Parameters<typeof generate>[0]): Uint8Array {
  return new Uint8Array(generate(packet));
}
