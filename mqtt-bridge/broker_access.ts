import { Buffer } from "node:buffer";
import type {
  Aedes,
  AedesOptions,
  AedesPublishPacket,
  AuthenticateError,
  Client,
  PublishPacket,
} from "aedes";
import type { ErrorCode } from "../lib/errors.ts";
import { ERRORS } from "../lib/errors.ts";
import { SIZES } from "../lib/protocol.ts";
import { RetainedTopics } from "./broker_retained.ts";
import type { Sessions } from "./broker_sessions.ts";
import type { Topics } from "./topics.ts";

/** Messages that may wait for the bridge; beyond it, and before there is one, devices wait. */
const MAX_WAITING = 2000;
/** Nobody may subscribe to it: what is published here is gone. */
const NOWHERE = "confab-refused";

/** An error that aedes answers a CONNECT with; 4 and 5 are MQTT 3.1.1's return codes. */
export function refusal(message: string, returnCode: number): AuthenticateError {
  return Object.assign(new Error(message), { returnCode }) as AuthenticateError;
}

/**
 * Who may do what on the embedded broker: the same rules as the ACL file of Mosquitto. A refused
 * publish is named in the device's `errors` topic; an MQTT 5 client also gets it in the PUBACK,
 * an older one a plain PUBACK, as MQTT 3.1.1 (section 3.3.5) has no other answer but hanging up.
 */
export function createAccess(topics: Topics, sessions: Sessions) {
  let broker: Aedes | undefined;
  let waiting: (clientId: string) => number = () => 0;
  let bridgeId: string | undefined;
  const held: (() => void)[] = [];
  const retained = new RetainedTopics();
  let stopped = false;

  /** Lets held publishes on, in order, as many as there is space for. */
  function release(): void {
    if (bridgeId === undefined && !stopped) return;
    let space = stopped ? Infinity : MAX_WAITING - waiting(bridgeId!);
    for (; space > 0 && held.length > 0; space--) held.shift()!();
  }

  /** Aedes knows no receive maximum: holding a publish back is what keeps the bridge's queue short. */
  function whenThereIsSpace(go: () => void): void {
    if (held.length === 0 && bridgeId !== undefined && waiting(bridgeId) < MAX_WAITING) return go();
    held.push(go);
  }

  /**
   * With these empty ones the bridge looks for what waits for it. Its own packets are not held: its
   * acknowledgements come behind them.
   */
  function sendBehindHeld(packet: PublishPacket): void {
    const { topic, qos, properties = {} } = packet;
    const copy = { topic, qos, properties, payload: Buffer.alloc(0) };
    held.push(() =>
      broker?.publish({ cmd: "publish", retain: false, dup: false, ...copy }, () => {})
    );
    Object.assign(packet, { topic: NOWHERE });
  }

  /** Why `client` may not publish this; undefined when it may. */
  function objection(client: Client | null, packet: PublishPacket): ErrorCode | undefined {
    if (client === null) return topics.parse(packet.topic) === undefined ? "forbidden" : undefined;
    if (sessions.isBridge(client.id)) {
      return topics.mayBridge(packet.topic, isEmpty(packet)) ? undefined : "invalid_topic";
    }
    const device = sessions.device(client);
    if (device === undefined) return "forbidden";
    if (client.closed && !sessions.mayLeaveWill(client)) return "forbidden";
    if (!topics.mayPublish(device, packet.topic)) return "invalid_topic";
    if (packet.payload.length > SIZES.bodyBytes) return "payload_too_large";
    return undefined;
  }

  function tell(device: string, code: ErrorCode, topic: string): void {
    const { title } = ERRORS[code];
    const payload = JSON.stringify({ code, message: title, topic: topic.slice(0, 512) });
    const packet = {
      cmd: "publish" as const,
      topic: topics.errors(device),
      payload: Buffer.from(payload),
      qos: 1 as const,
      retain: false,
      dup: false,
    };
    broker?.publish(packet, () => {});
  }

  const hooks: AedesOptions = {
    authorizePublish(client, packet, done) {
      const code = objection(client, packet);
      if (code === undefined) {
        if (client === null) return done(null);
        const { topic, payload } = packet;
        if (sessions.isBridge(client.id)) {
          const owner = topics.ownerOf(topic);
          if (packet.retain && owner !== undefined) retained.keeps(owner, topic, isEmpty(packet));
          else if (isEmpty(packet) && held.length > 0) sendBehindHeld(packet);
          return done(null);
        }
        // A retained `send` would be handed to the bridge again at every new subscription.
        packet.retain &&= retained.keeps(sessions.device(client)!, topic, payload.length === 0);
        return whenThereIsSpace(() => done(stopped ? new Error("The broker stops") : null));
      }
      const device = client === null ? undefined : sessions.device(client);
      if (device !== undefined) tell(device, code, packet.topic);
      if (client === null || client.version === 5) return done(new Error(code));
      Object.assign(packet, { topic: NOWHERE, payload: Buffer.alloc(0), retain: false });
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const device = sessions.device(client);
      const allowed = sessions.isBridge(client.id)
        ? Object.values(topics.inbound()).includes(subscription.topic)
        : device !== undefined && topics.maySubscribe(device, subscription.topic) &&
          // Aedes mixes up the queue of a kept session when a delivery to it is filtered out.
          (client.clean || topics.isOnlyDown(device, subscription.topic));
      done(null, allowed ? subscription : null);
    },
    authorizeForward(client: Client, packet: AedesPublishPacket) {
      if (sessions.isBridge(client.id)) return packet;
      const device = sessions.device(client);
      return device !== undefined && topics.mayReceive(device, packet.topic) ? packet : null;
    },
  };
  return {
    hooks,
    release,
    /** A subscription of this client is in force. */
    subscribed(client: Client) {
      if (!sessions.isBridge(client.id)) return;
      bridgeId = client.id;
      release();
    },
    /** Refuses what is held. */
    stop() {
      stopped = true;
      release();
    },
    start(started: Aedes, queued: (clientId: string) => number) {
      broker = started;
      waiting = queued;
    },
  };
}

function isEmpty({ payload }: PublishPacket): boolean {
  return payload.length === 0;
}
