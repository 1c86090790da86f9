import type { PrincipalId, Room, RoomPresence } from "../../lib/client/mod.ts";
import { applyPresence } from "../../lib/client/mod.ts";
import { element } from "./element.ts";

const UNKNOWN: RoomPresence = { state: "unknown", items: [] };
/** When to ask again for what was not known. */
const RETRY_MS = 15_000;
const LABELS = { online: "Online", offline: "Offline" };

/** The dots of one room that say who is online, on a page that is changed by others. */
export class PresenceDots {
  #room: Room;
  #root: Element | undefined;
  #presence = UNKNOWN;
  #reads = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stops: (() => void)[];

  constructor(room: Room) {
    this.#room = room;
    this.#stops = [
      room.on("presence", (change) => this.#learn(applyPresence(this.#presence, change))),
      room.on("state", () => this.#follow()),
      room.on("member", () => {
        // Perhaps it was oneself who came. In a room that is too large everybody would ask at once.
        if (this.#presence.state === "unknown") this.#follow();
      }),
    ];
  }

  /** A dot, which shows nothing while nothing is known. */
  dot(principal: PrincipalId): HTMLElement {
    const dot = element("span", {
      class: "presence",
      role: "img",
      "data-testid": "presence",
      "data-presence-of": principal,
    });
    this.#paint(dot);
    return dot;
  }

  /** Keeps the dots below `root` up to date. */
  start(root: Element): void {
    this.#root = root;
    this.#follow();
  }

  stop(): void {
    this.#reads++;
    clearTimeout(this.#retry);
    for (const stop of this.#stops) stop();
  }

  #follow(): void {
    const read = ++this.#reads;
    clearTimeout(this.#retry);
    if (this.#room.status !== "live") return this.#learn(UNKNOWN);
    this.#room.presence().catch(() => UNKNOWN).then((presence) => {
      if (read !== this.#reads) return;
      this.#learn(presence);
      if (presence.state !== "unknown") return;
      this.#retry = setTimeout(() => this.#follow(), RETRY_MS);
    });
  }

  #learn(presence: RoomPresence): void {
    this.#presence = presence;
    const dots = this.#root?.querySelectorAll<HTMLElement>("[data-presence-of]") ?? [];
    for (const dot of dots) this.#paint(dot);
  }

  #paint(dot: HTMLElement): void {
    const of = dot.dataset.presenceOf;
    const state = this.#presence.items.find(({ principal }) => principal === of)?.state;
    dot.hidden = state === undefined;
    if (state === undefined) return;
    dot.dataset.state = state;
    dot.title = LABELS[state];
    dot.setAttribute("aria-label", LABELS[state]);
  }
}
