import type { Message } from "../../lib/client/mod.ts";
import { avatar } from "./avatar.ts";
import { openBrowseDialog } from "./browse_dialog.ts";
import type { Chat } from "./chat.ts";
import { briefLabel } from "./day_label.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { arrange, element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import type { IconName } from "./icon.ts";
import { messageLine } from "./message_body.ts";
import { openNewRoomDialog } from "./new_room_dialog.ts";
import { openMessageDialog } from "./people_dialog.ts";

/** The side with one's rooms, and the ways to find more; `signal` ends it. */
export function roomList(chat: Chat, signal: AbortSignal): HTMLElement {
  const list = element("ul", { class: "rooms", "data-testid": "room-list" });
  const rows = new Map<string, HTMLElement>();
  const empty = firstSteps(chat);
  const filter = element("input", {
    class: "input",
    type: "search",
    placeholder: "Find a room",
    "aria-label": "Find a room",
    autocomplete: "off",
    "data-testid": "room-filter",
    oninput: () => show(),
    onkeydown: ({ key }: KeyboardEvent) => {
      const [first] = found();
      if (key === "Enter" && first !== undefined) chat.open(first.room.id);
    },
  });
  const found = () => {
    const words = filter.value.trim().toLowerCase();
    return chat.directory.rooms.filter((listed) => roomName(listed).toLowerCase().includes(words));
  };
  const show = () => {
    const listed = found();
    for (const each of listed) {
      const row = rows.get(each.room.id) ?? element("li");
      rows.set(each.room.id, row);
      showRow(chat, row, each);
    }
    arrange(list, listed.map(({ room }) => rows.get(room.id)!));
    empty.hidden = !chat.directory.loaded || chat.directory.rooms.length > 0;
  };
  const soon = onNextFrame(show);
  chat.directory.on("changed", soon);
  chat.directory.on("removed", (id) => rows.delete(id));
  addEventListener("hashchange", soon, { signal });
  return element(
    "nav",
    { class: "side", "aria-label": "Rooms" },
    header(chat),
    element("div", { class: "side-find" }, filter),
    empty,
    list,
    footer(chat),
  );
}

function header(chat: Chat): HTMLElement {
  return element(
    "header",
    { class: "side-header" },
    element("img", { src: "/assets/routes/page/icon.svg", alt: "", width: 28, height: 28 }),
    element("h1", { class: "brand" }, "Confab"),
    action("Browse public rooms", "browse", "browse-rooms", () => openBrowseDialog(chat)),
    action("Message someone", "message", "message-someone", () => openMessageDialog(chat)),
    action("New room", "plus", "new-room", () => openNewRoomDialog(chat)),
  );
}

/** What to do when there is no room yet. */
function firstSteps(chat: Chat): HTMLElement {
  const step = (label: string, name: IconName, run: () => void) =>
    element(
      "button",
      { type: "button", class: "button button-wide", onclick: run },
      icon(name),
      label,
    );
  return element(
    "section",
    { class: "first-steps", hidden: true },
    element("p", { class: "muted" }, "You are in no room yet."),
    step("Make a room", "plus", () => openNewRoomDialog(chat)),
    step("Find a public room", "browse", () => openBrowseDialog(chat)),
    step("Write to someone", "message", () => openMessageDialog(chat)),
  );
}

function footer(chat: Chat): HTMLElement {
  return element(
    "footer",
    { class: "side-footer" },
    avatar(chat.me),
    element(
      "span",
      { class: "result-text" },
      element("strong", { class: "clip", "data-testid": "me" }, chat.me.name),
      element(
        "span",
        { class: "muted clip" },
        chat.me.kind === "guest" ? "Guest" : `@${chat.me.username ?? ""}`,
      ),
    ),
    action("Log out", "leave", "log-out", () => void chat.tokens.logout()),
  );
}

function action(label: string, name: IconName, testid: string, run: () => void): HTMLElement {
  return element("button", {
    type: "button",
    class: "button button-icon",
    "aria-label": label,
    title: label,
    "data-testid": testid,
    onclick: run,
  }, icon(name));
}

/** Rebuilt only when something of it has changed, so that the focus stays. */
function showRow(chat: Chat, row: HTMLElement, listed: ListedRoom): void {
  const { info, room, last } = listed;
  const current = location.hash === `#/rooms/${room.id}`;
  const name = roomName(listed);
  const preview = last === undefined ? info.topic : previewText(chat, listed, last);
  const unread = room.unread;
  const when = last === undefined ? "" : briefLabel(new Date(last.at));
  const key = JSON.stringify([name, current, preview, unread, when]);
  if (row.dataset.key === key) return;
  const focused = row.contains(document.activeElement);
  row.dataset.key = key;
  const link = element(
    "a",
    {
      class: unread > 0 ? "room unread" : "room",
      href: `#/rooms/${room.id}`,
      "aria-current": current ? "page" : undefined,
      "data-testid": "room",
      "data-room": room.id,
      "data-unread": unread,
    },
    info.peer === undefined
      ? element("span", { class: "avatar avatar-room" }, icon(roomIcon(listed)))
      : avatar(info.peer),
    element(
      "span",
      { class: "result-text" },
      element("span", { class: "room-name clip" }, name),
      element("span", { class: "muted clip" }, preview),
    ),
    element(
      "span",
      { class: "room-side" },
      element("span", { class: "muted" }, when),
      unread > 0 && element(
        "span",
        { class: "badge", "aria-label": `${unread} unread` },
        unread > 99 ? "99+" : String(unread),
      ),
    ),
  );
  fill(row, link);
  if (focused) link.focus();
}

function roomIcon({ info }: ListedRoom): IconName {
  if (info.kind === "direct") return "person";
  return info.visibility === "public" ? "room" : "lock";
}

function previewText(chat: Chat, { info }: ListedRoom, message: Message): string {
  const own = message.sender.id === chat.me.id;
  const who = own ? "You: " : info.kind === "direct" ? "" : `${message.sender.name}: `;
  if (message.deletedAt !== undefined) return `${who}message deleted`;
  return who + messageLine(message).slice(0, 120);
}

/** Runs `work` once in the next frame, however often it is called before. */
export function onNextFrame(work: () => void): () => void {
  let planned = false;
  return () => {
    if (planned) return;
    planned = true;
    // A hidden page gets no frames, and its title still counts.
    const run = () => {
      planned = false;
      work();
    };
    if (document.visibilityState === "visible") requestAnimationFrame(run);
    else setTimeout(run, 100);
  };
}
