import { backoffMs, pause } from "../lib/backoff.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { PrincipalId } from "../lib/protocol.ts";
import { addressedBy } from "./addressed.ts";
import { Budget } from "./budget.ts";
import type { Desired } from "./desired.ts";
import type { Leftovers } from "./leftovers.ts";
import type { LiveEntries } from "./live_entries.ts";
import type { OpenCommands } from "./open_commands.ts";
import type { OutboundRoom } from "./outbound_room.ts";
import type { BridgeStore, Publisher, PublishOptions, ReadEntry } from "./ports.ts";
import type { Topics } from "./topics.ts";

/** What delivering works with. */
export interface RoomDeliveryOptions {
  topics: Topics;
  store: Pick<BridgeStore, "devicesAt" | "entries">;
  publisher: Publisher;
  desired: Pick<Desired, "publish">;
  /** What needs not be read. */
  live: LiveEntries;
  /** Publishes commands of devices that have come. */
  commands?: Pick<OpenCommands, "takes">;
  /** Empties what a device reported to a room that it has left. */
  leftovers?: Pick<Leftovers, "found">;
  log: Log;
  signal: AbortSignal;
}

const PAGE = 50;

/**
 * Moves rooms' cursors to their targets: reads a page after the cursor, publishes it in order, and
 * moves on when the broker has acknowledged all of it. A failure repeats the page.
 */
export class RoomDelivery {
  readonly #publishes = new Budget({ count: 512, bytes: 16 * 1024 * 1024 });
  readonly #pages = new Budget({ count: 16, bytes: Infinity });
  #awake = new AbortController();

  constructor(
    private readonly o: RoomDeliveryOptions,
    /** The room's head for its devices has changed, or its devices are known anew. */
    private readonly onMoved: (room: OutboundRoom) => void,
  ) {}

  /** Ends every wait for a repeat: the broker is back. */
  wake(): void {
    this.#awake.abort();
    this.#awake = new AbortController();
  }

  /** Delivers what is missing, unless that is under way. */
  start(room: OutboundRoom): void {
    const idle = room.devices !== undefined && !room.stale && room.cursor >= room.target;
    if (room.busy || idle || this.o.signal.aborted) return;
    room.busy = true;
    this.#deliver(room).then(() => {
      room.busy = false;
      this.start(room); // its target may have risen after the last look
    }, (error) => {
      room.busy = false;
      this.o.log.error("A room's entries are not delivered", { room: room.id, error });
    });
  }

  /** Publishes the retained head of a room for one device. */
  async head(device: PrincipalId, room: OutboundRoom): Promise<void> {
    const release = await this.#publishes.take(100);
    try {
      // Asked again after waiting: a device that has gone must not get its head back.
      if (!room.devices?.has(device) || room.dropped) return;
      const head = JSON.stringify({ epoch: room.epoch, seq: room.cursor });
      const topic = this.o.topics.head(device, room.id);
      await this.#published(topic, head, { retain: true });
    } finally {
      release();
    }
  }

  /** Removes the retained head of a room for a device that has no access any more, if it can be. */
  clearHead(device: PrincipalId, room: OutboundRoom): void {
    const topic = this.o.topics.head(device, room.id);
    this.#published(topic, "", { retain: true }).catch(() => {});
  }

  async #deliver(room: OutboundRoom): Promise<void> {
    for (let attempt = 0; !this.o.signal.aborted && !room.dropped;) {
      const release = await this.#pages.take(0);
      try {
        while (room.devices === undefined || room.stale) {
          room.stale = false;
          const devices = await this.o.store.devicesAt(room.id, room.cursor);
          if (room.stale) continue;
          room.devices = new Map(devices.map((device) => [device.id, device]));
          this.onMoved(room);
        }
        if (room.cursor >= room.target) return;
        await this.#deliverPage(room);
        attempt = 0;
        continue;
      } catch (error) {
        room.devices = undefined; // it may be ahead of the cursor
        if (++attempt === 5) {
          this.o.log.warn("A room's entries wait for the broker or the database", {
            room: room.id,
            error,
          });
        }
      } finally {
        release();
      }
      const ended = AbortSignal.any([this.o.signal, this.#awake.signal]);
      await pause(backoffMs(attempt, { baseMs: 50, capMs: 3000 }), ended);
    }
  }

  async #deliverPage(room: OutboundRoom): Promise<void> {
    const entries = await this.#page(room);
    const cameAt = performance.now();
    const last = entries.at(-1);
    if (last === undefined) {
      room.target = room.cursor; // the notice was wrong
      return;
    }
    if (entries.some(({ event }) => event.type === "member.joined")) {
      room.joiners = await this.o.store.devicesAt(room.id, last.seq);
    }
    await Promise.all(await this.#publishAll(room, entries, cameAt));
    room.cursor = last.seq;
    room.epoch = last.epoch;
    this.onMoved(room);
  }

  #page({ id, cursor, epoch }: OutboundRoom): ReadEntry[] | Promise<ReadEntry[]> {
    const live = this.o.live.take(id, cursor, { epoch, limit: PAGE });
    return live.length > 0 ? live : this.o.store.entries(id, cursor, PAGE);
  }

  /**
   * Publishes in order what came from the store at `cameAt`, in milliseconds of performance.now();
   * resolves when all are on their way, with what to wait for.
   */
  async #publishAll(
    room: OutboundRoom,
    entries: ReadEntry[],
    cameAt: number,
  ): Promise<Promise<void>[]> {
    const publishes: Promise<void>[] = [];
    const also = (published: Promise<void>) => {
      published.catch(() => {}); // seen by whoever waits for all
      publishes.push(published);
    };
    const publish = async (topic: string, payload: string, options: PublishOptions = {}) => {
      const release = await this.#publishes.take(payload.length);
      this.o.signal.throwIfAborted();
      also(this.#published(topic, payload, options).finally(release));
    };
    for (const entry of entries) {
      const { outgoing, gone } = room.apply(entry);
      for (const { device, payload } of outgoing) {
        await publish(this.o.topics.events(device, room.id), payload);
      }
      const now = entry.readAt.getTime() + performance.now() - cameAt;
      const own = addressedBy(entry, this.o.topics, now);
      const isOpen = own !== undefined && room.devices?.has(own.device);
      if (isOpen && !this.o.commands?.takes(own.device)) {
        await publish(own.topic, own.payload, own.options);
      }
      if (entry.event.type === "device.state") {
        also(this.o.desired.publish(room.id, entry.event.device.id));
      }
      for (const device of gone) {
        await publish(this.o.topics.head(device, room.id), "", { retain: true });
        // It may be back by now, with something to do.
        also(this.o.desired.publish(room.id, device, { clear: true }));
        this.o.leftovers?.found({ kind: "reported", device, room: room.id });
      }
    }
    return publishes;
  }

  /** One that the broker refuses for good is left out: its seq shows the device that it is missing. */
  #published(topic: string, payload: string, options: PublishOptions): Promise<void> {
    return this.o.publisher.publish(topic, payload, options).catch((error) => {
      if (!(error instanceof ConfabError) || error.code !== "forbidden") throw error;
      this.o.log.error("The broker refuses a message to a device", { topic, error });
    });
  }
}
