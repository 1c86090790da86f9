import type { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt";
import type { PublishProperties } from "./payload.ts";

/** A message from the broker. */
export interface Delivery {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1 | 2;
  /** Sent because of a new subscription, not because it was just published. */
  retained: boolean;
  properties: PublishProperties;
  /** Lets the broker forget it. Without effect when the connection it came on has ended. */
  acknowledge(): void;
}

/** What a received packet says; `acknowledge` is absent at QoS 0. */
export function deliveryOf(
  packet: IPublishPacket,
  acknowledge: (() => void) | undefined,
): Delivery {
  const { responseTopic, correlationData, userProperties } = packet.properties ?? {};
  const key = userProperties?.["client-id"];
  const clientId = Array.isArray(key) ? key[0] : key;
  return {
    topic: packet.topic,
    payload: packet.payload as Buffer,
    qos: packet.qos,
    retained: packet.retain,
    properties: {
      ...(clientId === undefined ? {} : { clientId }),
      ...(correlationData === undefined ? {} : { correlationData }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
    },
    acknowledge: acknowledge ?? (() => {}),
  };
}
