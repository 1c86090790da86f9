import type { Message, OutboxItem, Room } from "../../lib/client/mod.ts";
import { dayLabel } from "./day_label.ts";
import { arrange, element } from "./element.ts";
import { messageRow, outboxRow } from "./message_row.ts";
import type { MessageActions } from "./message_row.ts";

/** Messages of one sender closer than this stand together. */
const GROUP_MS = 5 * 60_000;

/** Keeps the rows of one room, in the order of its timeline, remaking only what has changed. */
export class MessageList {
  readonly element: HTMLElement;
  #room: Room;
  #me: string;
  #actions: MessageActions;
  #rows = new Map<string, HTMLElement>();
  #unreadAfter: number | undefined;

  /** `unreadAfter`: what was read when the room was opened, when anything was unread. */
  constructor(room: Room, me: string, actions: MessageActions, unreadAfter: number | undefined) {
    this.#room = room;
    this.#me = me;
    this.#actions = actions;
    this.#unreadAfter = unreadAfter;
    this.element = element("div", { class: "messages" });
  }

  /** Makes the rows what the timeline and the outbox are. */
  show(): void {
    const { timeline, outbox } = this.#room;
    const rows = new Map<string, HTMLElement>();
    const own = new Set<string>();
    const last = this.#stored(timeline.messages, rows, own);
    const waiting = outbox.items.filter((item) => !own.has(item.clientId));
    this.#waiting(waiting, last, rows);
    this.#rows = rows;
    arrange(this.element, [...rows.values()]);
  }

  /** Where reading goes on, when there is such a place. */
  get marker(): HTMLElement | undefined {
    return this.#rows.get("unread");
  }

  #stored(
    messages: readonly Message[],
    rows: Map<string, HTMLElement>,
    own: Set<string>,
  ): Message | undefined {
    let before: Message | undefined;
    for (const message of messages) {
      const day = dayOf(message);
      const newDay = before === undefined || dayOf(before) !== day;
      if (newDay) this.#keep(rows, `day ${day}`, () => dayRow(message));
      const marked = this.#marks(message, rows);
      const grouped = !newDay && !marked && before !== undefined && groups(before, message);
      const replied = message.replyTo === undefined
        ? undefined
        : this.#room.timeline.get(message.replyTo);
      const key = `${message.seq} ${message.updatedSeq} ${grouped} ${replied?.updatedSeq}`;
      const mine = message.sender.id === this.#me;
      this.#keep(
        rows,
        key,
        () => messageRow(message, { own: mine, grouped, replied }, this.#actions),
      );
      if (message.clientId !== undefined) own.add(message.clientId);
      before = message;
    }
    return before;
  }

  #waiting(items: OutboxItem[], last: Message | undefined, rows: Map<string, HTMLElement>): void {
    let grouped = last?.sender.id === this.#me;
    for (const item of items) {
      const first = grouped;
      const key = `${item.clientId} ${item.state} ${grouped}`;
      this.#keep(rows, key, () => outboxRow(item, first, this.#actions));
      grouped = true;
    }
  }

  #marks(message: Message, rows: Map<string, HTMLElement>): boolean {
    const after = this.#unreadAfter;
    if (after === undefined || message.seq <= after || rows.has("unread")) return false;
    if (message.sender.id === this.#me) {
      this.#unreadAfter = undefined;
      return false;
    }
    this.#keep(rows, "unread", () =>
      element(
        "p",
        { class: "separator separator-unread", "data-testid": "unread-marker" },
        element("span", {}, "New messages"),
      ));
    return true;
  }

  #keep(rows: Map<string, HTMLElement>, key: string, make: () => HTMLElement): void {
    rows.set(key, this.#rows.get(key) ?? make());
  }
}

function groups(before: Message, message: Message): boolean {
  return before.sender.id === message.sender.id && message.replyTo === undefined &&
    Date.parse(message.at) - Date.parse(before.at) < GROUP_MS;
}

function dayOf(message: Message): string {
  return new Date(message.at).toDateString();
}

function dayRow(message: Message): HTMLElement {
  const label = dayLabel(new Date(message.at));
  return element("p", { class: "separator" }, element("span", {}, label));
}
