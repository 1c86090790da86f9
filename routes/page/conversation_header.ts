import { avatar, withDot } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import type { MembersPanel } from "./members_panel.ts";
import type { PresenceDots } from "./presence_dots.ts";

/** The line above a conversation: where one is, and who else. */
export function conversationHeader(
  chat: Chat,
  listed: ListedRoom,
  members: MembersPanel,
  presence: PresenceDots,
): HTMLElement {
  const { info } = listed;
  const toggle = element(
    "button",
    {
      type: "button",
      class: "button",
      "data-testid": "toggle-members",
      "aria-label": "Members",
      "aria-expanded": String(members.open),
      "aria-controls": "members",
      onclick: () => members.toggle(),
    },
    icon("members"),
    element("span", { class: "wide-only" }, "Members"),
  );
  members.toggled = (open) => toggle.setAttribute("aria-expanded", String(open));
  return element(
    "header",
    { class: "room-header" },
    element("button", {
      type: "button",
      class: "button button-icon narrow-only",
      "aria-label": "Back to rooms",
      onclick: () => chat.open(undefined),
    }, icon("back")),
    info.peer === undefined
      ? element(
        "span",
        { class: "avatar avatar-room" },
        icon(info.visibility === "public" ? "room" : "lock"),
      )
      : withDot(avatar(info.peer), presence.dot(info.peer.id)),
    element(
      "div",
      { class: "result-text" },
      element("h1", { class: "clip" }, roomName(listed)),
      element("p", { class: "muted clip" }, subtitle(listed)),
    ),
    toggle,
  );
}

function subtitle({ info }: ListedRoom): string {
  if (info.topic !== "") return info.topic;
  if (info.kind === "direct") return "Direct messages";
  return info.visibility === "public" ? "Public room" : "Private room";
}
