import type { MessagePage } from "../../lib/client/answers.ts";
import type { Timeline } from "../../lib/client/timeline.ts";
import type { LogEntry } from "../../lib/protocol.ts";
import type { ModelRoom } from "./client_room.ts";
import type { Surroundings } from "./surroundings.ts";

/** Messages that a client loads at once. */
export const MESSAGE_PAGE = 2;

/**
 * The messages of a room at a client: the glue of `lib/client/history.ts` as callbacks instead of
 * promises, around the same Timeline.
 */
export class ModelMessages {
  readonly timeline: Timeline;
  #loaded = false;
  #loading = false;
  #earlier = false;
  #generation = 0;

  constructor(private readonly world: Surroundings, private readonly room: ModelRoom) {
    this.timeline = new world.pieces.Timeline();
  }

  /** Takes an entry that was applied. */
  apply({ seq, event }: LogEntry): void {
    if (event.type === "message.created") this.timeline.add(event.message);
    else if ("message" in event) {
      this.timeline.change(seq, event.message);
    }
  }

  reset(): void {
    this.#generation++;
    this.#loading = this.#loaded = false;
    this.timeline.clear();
  }

  /** Loads the newest messages, also for a program that was told that they could not be. */
  load(): void {
    if (this.#loaded || this.#loading || this.room.status !== "live") return;
    this.#loading = true;
    const generation = this.#generation;
    this.#loadPage(undefined, (outcome) => {
      if (generation !== this.#generation) return;
      this.#loading = false;
      this.#loaded = outcome === "merged";
      if (outcome !== "again") return;
      this.world.after(() => {
        if (generation === this.#generation) this.load();
      });
    });
  }

  /** Loads older messages. */
  loadEarlier(): void {
    const first = this.timeline.messages[0];
    if (first === undefined || !this.timeline.hasEarlier || this.#earlier) return;
    this.#earlier = true;
    this.#loadPage(first.seq, () => {
      this.#earlier = false;
    });
  }

  /** Loads a page into the timeline: `refused` to somebody without access. */
  #loadPage(
    before: number | undefined,
    done: (outcome: "merged" | "again" | "refused") => void,
  ): void {
    const { id, who } = this.room;
    const generation = this.#generation;
    const load = this.timeline.beginLoad();
    this.world.ask<MessagePage | undefined>(
      `p${who} loads messages of ${id}`,
      () => this.world.store.messagesAs(id, who, MESSAGE_PAGE, before),
      (page) => {
        const usable = generation === this.#generation && page?.epoch === this.room.cursor?.epoch;
        if (usable && page !== undefined) load.merge(page.messages, page.hasMore);
        load.abandon();
        done(page === undefined ? "refused" : usable ? "merged" : "again");
      },
      () => {
        load.abandon();
        done("again");
      },
    );
  }
}
