import type { Message } from "../../lib/client/mod.ts";
import type { Chat } from "./chat.ts";
import { Composer } from "./composer.ts";
import { conversationHeader } from "./conversation_header.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { askFirst } from "./dialog.ts";
import { element } from "./element.ts";
import { membersPanel } from "./members_panel.ts";
import { MessageList } from "./message_list.ts";
import { attempt } from "./notice.ts";
import { PresenceDots } from "./presence_dots.ts";
import { onNextFrame } from "./room_list.ts";
import { Scroller } from "./scroller.ts";
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
  const stops: (() => void)[] = [];
  const composer = new Composer(room.id, `Message ${roomName(listed)}`, {
    send(text) {
      scroller.toEnd();
      room.send({ text }).catch(() => {});
    },
    edit: (message, text) => void attempt(() => room.edit(message.seq, { text })),
    typing: () => room.typing(),
    lastOwn: () => room.timeline.messages.findLast((message) => editable(chat, message)),
  });
  const list = new MessageList(room, chat.me.id, {
    edit: (message) => composer.edit(message),
    remove: (message) => askToDelete(listed, message),
    retry: (clientId) => room.outbox.retry(clientId),
    discard: (clientId) => room.outbox.discard(clientId),
  }, room.unread > 0 ? room.read : undefined);
  const typing = new TypingLine();
  const earlier = earlierButton(listed);
  const scroller = new Scroller(earlier, list.element);
  const presence = new PresenceDots(room);
  const members = membersPanel(chat, listed, presence);
  const { show, markRead } = follow(listed, list, scroller, earlier, composer);
  scroller.atEnd = markRead;
  scroller.nearStart = () => void room.loadEarlier();
  const soon = onNextFrame(show);
  stops.push(
    room.on("outbox", soon),
    room.on("change", soon),
    room.on("reset", soon),
    room.on("state", soon),
    room.on("loaded", soon),
    room.on("typing", (principal) => {
      if (principal.id !== chat.me.id) typing.add(principal);
    }),
    room.on("message", (message) => {
      typing.remove(message.sender.id);
      if (!scroller.stuck) scroller.missed(1);
      soon();
    }),
  );
  document.addEventListener("visibilitychange", markRead);
  stops.push(() => document.removeEventListener("visibilitychange", markRead));
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
      typing.stop();
      presence.stop();
      members.stop();
    },
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
    message.deletedAt === undefined;
}

function askToDelete({ room }: ListedRoom, message: Message): void {
  askFirst(
    "Delete this message?",
    "Nobody will be able to read it any more.",
    "Delete",
    () => void attempt(() => room.delete(message.seq)),
  );
}
