import type { MemberPresence, PrincipalId, Room, RoomPresence } from "../../lib/client/mod.ts";
import { applyPresence } from "../../lib/client/mod.ts";
import { briefLabel, momentLabel } from "./day_label.ts";
import { element } from "./element.ts";

const UNKNOWN: RoomPresence = { state: "unknown", items: [] };
/** When to ask again for what was not known. */
const RETRY_MS = 15_000;

/** What is shown of somebody: devices also come and go. */
function stateOf({ state, unstable }: MemberPresence): "online" | "offline" | "unstable" {
  return unstable === true ? "unstable" : state;
}

/** "Online", "Unstable: it comes and goes", "Offline, last seen 12:31". */
export function presenceWords(presence: MemberPresence): string {
  const state = stateOf(presence);
  if (state === "unstable") return "Unstable: it comes and goes";
  if (state === "online") return "Online";
  const { lastSeen } = presence;
  return lastSeen === undefined
    ? "Offline"
    : `Offline, last seen ${briefLabel(new Date(lastSeen))}`;
}

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

  /** The same in words, which say nothing while nothing is known. */
  words(principal: PrincipalId): HTMLElement {
    const words = element("span", {
      class: "muted clip",
      "data-testid": "presence-words",
      "data-presence-words": principal,
    });
    this.#say(words);
    return words;
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
    const all = (selector: string) => this.#root?.querySelectorAll<HTMLElement>(selector) ?? [];
    for (const dot of all("[data-presence-of]")) this.#paint(dot);
    for (const words of all("[data-presence-words]")) this.#say(words);
  }

  #of(principal: string | undefined): MemberPresence | undefined {
    return this.#presence.items.find((item) => item.principal === principal);
  }

  #paint(dot: HTMLElement): void {
    const presence = this.#of(dot.dataset.presenceOf);
    dot.hidden = presence === undefined;
    if (presence === undefined) return;
    const words = presenceWords(presence);
    dot.dataset.state = stateOf(presence);
    dot.title = words;
    dot.setAttribute("aria-label", words);
  }

  #say(words: HTMLElement): void {
    const presence = this.#of(words.dataset.presenceWords);
    words.hidden = presence === undefined;
    if (presence === undefined) return;
    words.textContent = presenceWords(presence);
    const { lastSeen } = presence;
    words.title = lastSeen === undefined ? "" : `Last seen ${momentLabel(new Date(lastSeen))}`;
  }
}
