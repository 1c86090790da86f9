import type { Message, PublicPrincipal } from "../../lib/client/mod.ts";
import type { Chat } from "./chat.ts";
import { Composer } from "./composer.ts";
import { conversationHeader } from "./conversation_header.ts";
import { DeviceNames } from "./device_names.ts";
import { DevicePanel } from "./device_panel.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { askFirst } from "./dialog.ts";
import { element } from "./element.ts";
import { membersPanel } from "./members_panel.ts";
import { MessageList } from "./message_list.ts";
import type { MessageActions } from "./message_row.ts";
import { attempt, notice } from "./notice.ts";
import { PresenceDots } from "./presence_dots.ts";
import { RoomEntries } from "./room_entries.ts";
import { onNextFrame } from "./room_list.ts";
import { Scroller } from "./scroller.ts";
import { TypedCommands } from "./typed_commands.ts";
import { TypingLine } from "./typing_line.ts";

/** One room on the page. */
export interface Conversation {
  element: HTMLElement;
  /** Call it when `element` is in the page. */
  shown(): void;
  stop(): void;
}

/** Shows a room: its messages, who is in it, and the field to write in. */
export function conversation(chat: Chat, listed: ListedRoom): Conversation {
  const { room } = listed;
  const soon = onNextFrame(() => show());
  const devices = new DeviceNames(room, soon);
  const entries = new RoomEntries({
    room,
    log: (query) => chat.client.rest.log(room.id, query),
    changed: soon,
  });
  const composer = composerOf(chat, listed, devices, () => scroller.toEnd());
  const presence = new PresenceDots(room);
  const panel = new DevicePanel(chat, room, presence);
  const list = new MessageList({
    room,
    me: chat.me.id,
    entries,
    devices,
    actions: messageActions(listed, composer, (id) => {
      const device = devices.get(id);
      if (device === undefined) notice("This device is not in the room any more.");
      else panel.show(device);
    }),
    unreadAfter: room.unread > 0 ? room.read : undefined,
  });
  const typing = new TypingLine();
  const earlier = earlierButton(listed);
  const scroller = new Scroller(earlier, list.element);
  const members = membersPanel(chat, listed, {
    presence,
    openDevice: (device: PublicPrincipal) => panel.show(device),
    learned: (all) => devices.learn(all),
  });
  panel.toggled = (open) => members.cover(open ? () => panel.close() : undefined);
  const { show, markRead } = follow(listed, list, scroller, earlier, composer);
  scroller.atEnd = markRead;
  scroller.nearStart = () => void room.loadEarlier();
  const stops = [
    room.on("outbox", soon),
    room.on("change", soon),
    room.on("entry", (entry) => entries.receive(entry)),
    room.on("reset", () => {
      entries.reset();
      soon();
    }),
    room.on("state", soon),
    room.on("loaded", () => {
      void entries.fill();
      soon();
    }),
    room.on("typing", (principal) => {
      if (principal.id !== chat.me.id) typing.add(principal);
    }),
    room.on("message", (message) => {
      typing.remove(message.sender.id);
      if (!scroller.stuck) scroller.missed(1);
      soon();
    }),
  ];
  document.addEventListener("visibilitychange", markRead);
  const view = element(
    "div",
    { class: "room-view" },
    element(
      "section",
      { class: "conversation", "aria-label": roomName(listed) },
      conversationHeader(chat, listed, members, presence),
      element("div", { class: "log-frame" }, scroller.log, scroller.jump),
      typing.element,
      composer.element,
    ),
    members.element,
    panel.element,
  );
  presence.start(view);
  return {
    element: view,
    shown() {
      void attempt(() => room.load());
      show();
      if (matchMedia("(hover: hover)").matches) composer.focus();
      else composer.fit();
    },
    stop() {
      for (const stop of stops) stop();
      document.removeEventListener("visibilitychange", markRead);
      for (const part of [typing, presence, members, panel, devices]) part.stop();
    },
  };
}

function composerOf(
  chat: Chat,
  listed: ListedRoom,
  devices: DeviceNames,
  toEnd: () => void,
): Composer {
  const { room } = listed;
  return new Composer(room.id, `Message ${roomName(listed)}`, {
    send(text) {
      toEnd();
      room.send({ text }).catch(() => {});
    },
    edit: (message, text) => void attempt(() => room.edit(message.seq, { text })),
    typing: () => room.typing(),
    lastOwn: () => room.timeline.messages.findLast((message) => editable(chat, message)),
    commands: new TypedCommands(chat.client.rest, room, devices),
  });
}

function messageActions(
  listed: ListedRoom,
  composer: Composer,
  openDevice: (id: string) => void,
): MessageActions {
  const { room } = listed;
  return {
    edit: (message) => composer.edit(message),
    remove: (message) => askToDelete(listed, message),
    retry: (clientId) => room.outbox.retry(clientId),
    discard: (clientId) => room.outbox.discard(clientId),
    openDevice,
    cancel: ({ command }) => void attempt(() => room.cancelCommand(command!.id)),
  };
}

/** Keeps the rows up to date, and what is seen marked as read. */
function follow(
  { room }: ListedRoom,
  list: MessageList,
  scroller: Scroller,
  earlier: HTMLElement,
  composer: Composer,
) {
  let first: number | undefined;
  let opened = false;
  const markRead = () => {
    if (opened && scroller.stuck && document.visibilityState === "visible") room.markRead();
  };
  const show = () => {
    const start = room.timeline.messages[0]?.seq;
    const prepended = first !== undefined && start !== undefined && start < first;
    first = start;
    scroller.log.setAttribute("aria-busy", String(prepended || !opened));
    const change = () => {
      earlier.hidden = !room.timeline.hasEarlier;
      list.show();
    };
    if (prepended) scroller.keep(change);
    else scroller.keepStart(change);
    composer.allow(room.role !== "reader" && room.role !== null);
    if (!opened && start !== undefined && room.status === "live") {
      opened = true;
      if (list.marker !== undefined) scroller.toMark(list.marker);
      else scroller.toEnd();
    }
    markRead();
  };
  return { show, markRead };
}

function earlierButton({ room }: ListedRoom): HTMLElement {
  return element("button", {
    type: "button",
    class: "button button-small load-earlier",
    hidden: true,
    "data-testid": "load-earlier",
    onclick: () => void attempt(() => room.loadEarlier()),
  }, "Load earlier messages");
}

function editable(chat: Chat, message: Message): boolean {
  return message.sender.id === chat.me.id && message.text !== undefined &&
    message.deletedAt === undefined && message.command === undefined;
}

function askToDelete({ room }: ListedRoom, message: Message): void {
  askFirst(
    "Delete this message?",
    "Nobody will be able to read it any more.",
    "Delete",
    () => void attempt(() => room.delete(message.seq)),
  );
}
