import type { Message, OutboxItem, Room } from "../../lib/client/mod.ts";
import { foldedAnswers } from "./command_block.ts";
import { dayLabel } from "./day_label.ts";
import type { DeviceNames } from "./device_names.ts";
import { arrange, element } from "./element.ts";
import { entryLine } from "./entry_line.ts";
import { messageRow, outboxRow } from "./message_row.ts";
import type { MessageActions, RowPlace } from "./message_row.ts";
import type { RoomEntries } from "./room_entries.ts";

/** Messages of one sender closer than this stand together. */
const GROUP_MS = 5 * 60_000;

/** What a list shows. */
export interface MessageListOptions {
  room: Room;
  /** One's own id. */
  me: string;
  entries: RoomEntries;
  devices: DeviceNames;
  actions: MessageActions;
  /** What was read when the room was opened, when anything was unread. */
  unreadAfter: number | undefined;
}

/** Keeps the rows of one room, in the order of its log, remaking only what has changed. */
export class MessageList {
  readonly element: HTMLElement;
  #room: Room;
  #me: string;
  #entries: RoomEntries;
  #devices: DeviceNames;
  #actions: MessageActions;
  #rows = new Map<string, HTMLElement>();
  #unreadAfter: number | undefined;

  constructor({ room, me, entries, devices, actions, unreadAfter }: MessageListOptions) {
    this.#room = room;
    this.#me = me;
    this.#entries = entries;
    this.#devices = devices;
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
    const folded = foldedAnswers(messages);
    const lines = this.#entries.list;
    const first = this.#room.timeline.hasEarlier ? messages[0]?.seq ?? Infinity : 0;
    let line = lines.findIndex(({ seq }) => seq > first);
    const linesBefore = (seq: number) => {
      const from = line;
      for (; line >= 0 && line < lines.length && lines[line]!.seq < seq; line++) {
        const entry = lines[line]!;
        this.#keep(rows, `entry ${entry.seq}`, () => entryLine(entry, this.#actions.openDevice));
      }
      return line > from;
    };
    let before: Message | undefined;
    for (const message of messages) {
      if (message.clientId !== undefined) own.add(message.clientId);
      if (folded.has(message.seq)) continue;
      const apart = linesBefore(message.seq);
      before = this.#message(message, apart ? undefined : before, before, rows);
    }
    if (linesBefore(Infinity)) return undefined;
    return before;
  }

  /** `group`: the message that this one may stand together with. */
  #message(
    message: Message,
    group: Message | undefined,
    before: Message | undefined,
    rows: Map<string, HTMLElement>,
  ): Message {
    const day = dayOf(message);
    const newDay = before === undefined || dayOf(before) !== day;
    if (newDay) this.#keep(rows, `day ${day}`, () => dayRow(message));
    const marked = this.#marks(message, rows);
    const grouped = !newDay && !marked && group !== undefined && groups(group, message);
    const replied = message.replyTo === undefined
      ? undefined
      : this.#room.timeline.get(message.replyTo);
    const command = this.#command(message);
    const shown = `${command?.device} ${command?.answer?.updatedSeq} ${command?.mayCancel}`;
    const key = `${message.seq} ${message.updatedSeq} ${grouped} ${replied?.updatedSeq} ${shown}`;
    const own = message.sender.id === this.#me;
    this.#keep(
      rows,
      key,
      () => messageRow(message, { own, grouped, replied, command }, this.#actions),
    );
    return message;
  }

  #command({ command, sender }: Message): RowPlace["command"] {
    if (command === undefined) return undefined;
    const { role } = this.#room;
    return {
      device: this.#devices.get(command.device)?.name,
      answer: command.answer === undefined ? undefined : this.#room.timeline.get(command.answer),
      mayCancel: sender.id === this.#me || role === "owner" || role === "admin",
    };
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
