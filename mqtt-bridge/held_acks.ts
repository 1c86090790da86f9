import type { MqttClient } from "mqtt";

interface Held {
  messageId: number;
  acknowledged: boolean;
  /** Milliseconds of performance.now(). */
  since: number;
}

const OVERTAKEN_AFTER_MS = 1000;

// What MQTT.js 5.16.0 calls to write a packet. It is private there, and the only place where the
// PUBACK of a received message can be caught: handlers/publish.ts writes it as soon as the
// handleMessage callback returns, one message at a time. The version is pinned, and a test fails
// when the PUBACK takes another way.
interface Sending {
  _sendPacket(
    packet: { cmd: string; messageId?: number; reasonCode?: number },
    done?: (error?: Error) => void,
    stored?: () => void,
    noStore?: boolean,
  ): void;
}

/**
 * Holds back the PUBACKs of one connection, so that many received messages are worked on at once
 * and the broker is told only after each is done. They leave in the order in which the messages
 * came (MQTT 5, section 4.6), except that those which wait for over a second are overtaken: one locked room
 * must not fill the window of the whole bridge.
 */
export class HeldAcks {
  readonly #send: Sending["_sendPacket"];
  readonly #held: Held[] = [];
  #open = true;

  constructor(client: MqttClient) {
    const sending = client as unknown as Sending;
    this.#send = sending._sendPacket.bind(client);
    sending._sendPacket = (packet, done, stored, noStore) => {
      if (packet.cmd === "puback") return done?.();
      this.#send(packet, done, stored, noStore);
    };
  }

  /** Remembers a received QoS 1 message, in the order of arrival; the result acknowledges it. */
  hold(messageId: number): () => void {
    const held: Held = { messageId, acknowledged: false, since: performance.now() };
    this.#held.push(held);
    return () => {
      held.acknowledged = true;
      this.flush();
    };
  }

  /** The connection has ended: packet ids of it mean nothing on the next. */
  close(): void {
    this.#open = false;
    this.#held.length = 0;
  }

  /** Sends what may be sent now; to be called about once a second too. */
  flush(): void {
    if (!this.#open) return;
    const limit = performance.now() - OVERTAKEN_AFTER_MS;
    let kept = 0;
    let i = 0;
    for (; i < this.#held.length; i++) {
      const held = this.#held[i]!;
      if (held.acknowledged) {
        this.#send({ cmd: "puback", messageId: held.messageId, reasonCode: 0 });
      } else if (held.since < limit) this.#held[kept++] = held;
      else break;
    }
    this.#held.splice(kept, i - kept);
  }
}
