import type { MqttClient } from "mqtt";

interface Held {
  messageId: number;
  acknowledged: boolean;
  sent: boolean;
  /** Milliseconds of performance.now(). */
  since: number;
}

const OVERTAKEN_AFTER_MS = 1000;
/** Sent ones that may stay in the list. */
const SPARE = 1024;
/** How often acknowledgements look at all that is held, and not only at the first. */
const FLUSH_EVERY_MS = 10;

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
  /** In the order of arrival; what was sent is taken out now and then. */
  #held: Held[] = [];
  /** Everything before it is sent. */
  #first = 0;
  #unsent = 0;
  #flushedAt = -Infinity;
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
    const held: Held = { messageId, acknowledged: false, sent: false, since: performance.now() };
    this.#held.push(held);
    this.#unsent++;
    return () => {
      held.acknowledged = true;
      this.#sendFirst();
      if (performance.now() - this.#flushedAt > FLUSH_EVERY_MS) this.flush();
    };
  }

  /** The connection has ended: packet ids of it mean nothing on the next. */
  close(): void {
    this.#open = false;
    this.#held = [];
  }

  /** Sends what may be sent now; to be called about once a second too. */
  flush(): void {
    this.#sendFirst();
    if (!this.#open) return;
    this.#flushedAt = performance.now();
    const limit = this.#flushedAt - OVERTAKEN_AFTER_MS;
    for (let i = this.#first; i < this.#held.length; i++) {
      const held = this.#held[i]!;
      if (held.acknowledged) this.#acknowledge(held);
      else if (held.since >= limit) break;
    }
    if (this.#held.length > 2 * this.#unsent + SPARE) {
      this.#held = this.#held.filter(({ sent }) => !sent);
      this.#first = 0;
    }
  }

  #sendFirst(): void {
    if (!this.#open) return;
    while (this.#held[this.#first]?.acknowledged) this.#acknowledge(this.#held[this.#first++]!);
  }

  #acknowledge(held: Held): void {
    if (held.sent) return;
    held.sent = true;
    this.#unsent--;
    this.#send({ cmd: "puback", messageId: held.messageId, reasonCode: 0 });
  }
}
