import type { SessionTokens, User } from "../../lib/client/mod.ts";
import { startChat } from "./chat.ts";
import type { Chat } from "./chat.ts";
import { claimedIn, openClaimDialog } from "./claim_dialog.ts";
import { connectionBanner } from "./connection_banner.ts";
import { conversation } from "./conversation.ts";
import type { Conversation } from "./conversation.ts";
import { roomName } from "./directory.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import { notice } from "./notice.ts";
import { roomList } from "./room_list.ts";
import { shortcuts } from "./shortcuts.ts";

/** Everything a signed-in person sees; the room shown is kept in the address (`#/rooms/{id}`). */
export function chatView(tokens: SessionTokens, me: User): { element: HTMLElement; stop(): void } {
  const chat = startChat(tokens, me, (room) => {
    location.hash = room === undefined ? "#/" : `#/rooms/${room}`;
  });
  const ended = new AbortController();
  const place = element("div", { class: "place" });
  const view = element(
    "main",
    { class: "app", "data-view": "rooms" },
    connectionBanner(chat.client),
    roomList(chat, ended.signal),
    place,
  );
  const shown = new Shown(chat, view, place);
  addEventListener("hashchange", () => shown.follow(), { signal: ended.signal });
  followClaims(chat, ended.signal);
  shortcuts(chat, () => shown.room, ended.signal);
  chat.directory.on("changed", () => shown.follow());
  chat.directory.on("evicted", (listed) => notice(`You are no longer in ${roomName(listed)}.`));
  chat.directory.start();
  chat.client.connect();
  shown.follow();
  return {
    element: view,
    stop() {
      ended.abort();
      shown.clear();
      chat.directory.stop();
      chat.client.close();
    },
  };
}

/** Asks for a device's code when the address says so (`#claim`, `#claim=CODE`), once. */
function followClaims(chat: Chat, signal: AbortSignal): void {
  const follow = async () => {
    const code = claimedIn(location.hash);
    if (code === undefined) return;
    history.replaceState(null, "", "#/");
    if (!chat.directory.loaded) await chat.directory.refresh();
    if (!signal.aborted) openClaimDialog(chat, { code });
  };
  addEventListener("hashchange", () => void follow(), { signal });
  void follow();
}

/** The room on the right hand side, or on a phone the one in front of the list. */
class Shown {
  #chat: Chat;
  #view: HTMLElement;
  #place: HTMLElement;
  #conversation: Conversation | undefined;
  #welcomed: string | undefined;
  room: string | undefined;

  constructor(chat: Chat, view: HTMLElement, place: HTMLElement) {
    this.#chat = chat;
    this.#view = view;
    this.#place = place;
  }

  /** Makes the page show what the address says. */
  follow(): void {
    const { directory } = this.#chat;
    const wanted = /^#\/rooms\/([0-9a-f-]+)$/.exec(location.hash)?.[1];
    const listed = wanted === undefined ? undefined : directory.get(wanted);
    this.#view.dataset.view = listed === undefined ? "rooms" : "room";
    const name = listed === undefined ? "Confab" : `${roomName(listed)} · Confab`;
    document.title = directory.unread > 0 ? `(${directory.unread}) ${name}` : name;
    if (listed === undefined) return this.#welcome();
    if (this.room === listed.room.id) return;
    this.clear();
    this.room = listed.room.id;
    this.#conversation = conversation(this.#chat, listed);
    fill(this.#place, this.#conversation.element);
    this.#conversation.shown();
  }

  clear(): void {
    this.#conversation?.stop();
    this.#conversation = undefined;
    this.#welcomed = undefined;
    this.room = undefined;
  }

  #welcome(): void {
    const { directory } = this.#chat;
    const text = !directory.loaded
      ? "Loading your rooms …"
      : directory.rooms.length === 0
      ? "Make a room, browse the public ones, or message someone."
      : "Choose a room to read and write.";
    if (this.#welcomed === text) return;
    this.clear();
    this.#welcomed = text;
    const welcome = element(
      "section",
      { class: "welcome" },
      icon("message"),
      element("h2", {}, `Hello, ${this.#chat.me.name}`),
      element("p", { class: "muted" }, text),
    );
    fill(this.#place, welcome);
  }
}
