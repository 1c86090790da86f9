import type { Principal } from "../lib/auth/principal.ts";
import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import { Lanes } from "../lib/lanes.ts";
import type { RoomId } from "../lib/protocol.ts";
import type { Delivery } from "./delivery.ts";
import type { KnownDevices } from "./known_devices.ts";
import { mayPass } from "./passing.ts";
import type { UpTopic } from "./topics.ts";

/** What a device has published on a topic of its own. */
export interface OwnWork {
  device: Principal;
  delivery: Delivery;
}

/** What a device has published for one room. */
export interface RoomWork extends OwnWork {
  room: RoomId;
}

/**
 * What is done with publishes other than messages and requests, by kind. A handler resolves when
 * nothing can be lost any more, and throws ConfabError when the publish is refused; failures that
 * may pass make it be called again.
 */
export interface Handlers {
  telemetry?: (work: RoomWork) => Promise<void>;
  reported?: (work: RoomWork) => Promise<void>;
  replies?: (work: OwnWork) => Promise<void>;
  status?: (work: OwnWork) => Promise<void>;
}

/** A topic that a handler may be for. */
export type HandledTopic = Extract<UpTopic, { kind: keyof Handlers }>;

/** What running handlers needs. */
export interface DeviceWorkOptions {
  handlers: Handlers;
  devices: Pick<KnownDevices, "principal">;
  /** The connection is over: what is not done yet comes again on the next. */
  signal: AbortSignal;
}

/** Runs handlers, those of one device and one kind in the order of the calls. */
export class DeviceWork {
  readonly #lanes = new Lanes();

  constructor(private readonly o: DeviceWorkOptions) {}

  /** True when there is a handler for this kind. */
  handles(kind: HandledTopic["kind"]): boolean {
    return this.o.handlers[kind] !== undefined;
  }

  /** Resolves when it is done; rejects with ConfabError when it is refused, or at the signal. */
  run(topic: HandledTopic, delivery: Delivery): Promise<void> {
    return this.#lanes.run(`${topic.kind}/${topic.device}`, async () => {
      for (let tries = 1;; tries++) {
        this.o.signal.throwIfAborted();
        try {
          return await this.#handle(topic, delivery);
        } catch (error) {
          if (!mayPass(error, delivery.qos, tries)) throw error;
          await pause(backoffMs(tries, { baseMs: 50, capMs: 5000 }), this.o.signal);
        }
      }
    });
  }

  async #handle(topic: HandledTopic, delivery: Delivery): Promise<void> {
    const device = await this.o.devices.principal(topic.device);
    if (device === undefined) throw new ConfabError("unauthenticated");
    // A person who speaks MQTT sends messages and is there; a state or readings are those of devices.
    if (device.kind !== "device" && topic.kind !== "status") throw new ConfabError("forbidden");
    if ("room" in topic) {
      return await this.o.handlers[topic.kind]?.({ device, room: topic.room, delivery });
    }
    await this.o.handlers[topic.kind]?.({ device, delivery });
  }
}
