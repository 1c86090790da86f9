import type { PrincipalId } from "../lib/protocol.ts";
import type { OutboundRoom } from "./outbound_room.ts";

/** Publishes the retained head of one room for one device. */
export type PublishHead = (device: PrincipalId, room: OutboundRoom) => Promise<void>;

/**
 * The retained `head` topics, which show a device that it missed something: at most one publish
 * for a device and room at each tick, however many entries there were.
 */
export class Heads {
  readonly #changed = new Set<OutboundRoom>();
  readonly #born = new Set<PrincipalId>();

  constructor(
    private readonly rooms: ReadonlyMap<string, OutboundRoom>,
    private readonly publish: PublishHead,
  ) {}

  /** The room has moved on. */
  changed(room: OutboundRoom): void {
    this.#changed.add(room);
  }

  /** The device has come: it is told the heads of all its rooms. */
  born(device: PrincipalId): void {
    this.#born.add(device);
  }

  /** Publishes what has changed since the last tick; what fails is published at a later tick. */
  async tick(): Promise<void> {
    const changed = [...this.#changed];
    const born = [...this.#born];
    this.#changed.clear();
    this.#born.clear();
    const publishes: Promise<void>[] = [];
    for (const room of changed) {
      for (const device of room.devices?.keys() ?? []) publishes.push(this.#one(device, room));
    }
    if (born.length > 0) {
      for (const room of this.rooms.values()) {
        if (changed.includes(room)) continue;
        for (const device of born) {
          if (room.devices?.has(device)) publishes.push(this.#one(device, room));
        }
      }
    }
    await Promise.all(publishes);
  }

  #one(device: PrincipalId, room: OutboundRoom): Promise<void> {
    return this.publish(device, room).catch(() => this.changed(room));
  }
}
