import type { DeviceAccess, DeviceWorld } from "./device_world.ts";
import type { RawMqtt } from "./raw_mqtt.ts";

const PAUSE_MS = 20;

/**
 * A device that publishes to its rooms all the time, at QoS 1 and 0 in turn, and connects again
 * whenever it is cut off, for as long as it lives: each message is its number.
 */
export class TirelessDevice implements AsyncDisposable {
  /** Connections that the broker admitted, and that have ended. */
  admitted = 0;
  ended = 0;
  /** Messages that it tried to publish. */
  published = 0;
  readonly #running: Promise<void>;
  #stopped = false;
  #device: RawMqtt | undefined;

  constructor(
    private readonly world: DeviceWorld,
    private readonly access: DeviceAccess,
    private readonly topics: string[],
  ) {
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#device?.drop();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const device = await this.world.open(this.access);
      this.#device = device;
      if (device.admitted) this.admitted++;
      while (device.admitted && !device.closed && !this.#stopped) {
        const qos = this.published++ % 2 === 0 ? 1 : 0;
        for (const topic of this.topics) {
          await device.publish(topic, `${this.published}`, { qos });
        }
        await pause();
      }
      if (device.admitted) this.ended++;
      await device.drop();
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
