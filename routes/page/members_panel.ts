import type { Member } from "../../lib/client/mod.ts";
import { avatar, withDot } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { openDeviceDialog } from "./device_dialog.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { askFirst } from "./dialog.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import type { IconName } from "./icon.ts";
import { attempt } from "./notice.ts";
import { openDirect, openInviteDialog } from "./people_dialog.ts";
import type { PresenceDots } from "./presence_dots.ts";
import { onNextFrame } from "./room_list.ts";

const MAX_MEMBERS = 1000;

/** The panel with the members of a room. */
export interface MembersPanel {
  element: HTMLElement;
  open: boolean;
  toggle(): void;
  toggled: (open: boolean) => void;
  stop(): void;
}

/** Lists people and devices of a room and lets one add and remove them. */
export function membersPanel(
  chat: Chat,
  listed: ListedRoom,
  presence: PresenceDots,
): MembersPanel {
  const { room, info } = listed;
  const lists = element("div", { class: "member-lists" });
  const refresh = onNextFrame(async () => {
    const members = await readMembers(chat, room.id).catch(() => undefined);
    if (members === undefined) return;
    showMembers(members, lists, (member) => memberRow(chat, listed, member, presence, refresh));
  });
  const group = info.kind === "group";
  const element_ = element(
    "aside",
    { class: "members", id: "members", "aria-label": "Members", "data-testid": "members" },
    element(
      "header",
      { class: "members-header" },
      element("h2", {}, "Members"),
      element("button", {
        type: "button",
        class: "button button-icon",
        "aria-label": "Close members",
        onclick: () => panel.toggle(),
      }, icon("close")),
    ),
    group && element(
      "div",
      { class: "members-actions" },
      button("Invite someone", "person", "invite", () => openInviteDialog(chat, listed, refresh)),
      button("Add a device", "device", "add-device", () => openDeviceDialog(chat, listed, refresh)),
    ),
    lists,
    group && element(
      "footer",
      { class: "members-footer" },
      button("Leave room", "leave", "leave-room", () => askToLeave(chat, listed)),
    ),
  );
  element_.addEventListener("keydown", (event) => {
    if (event.key === "Escape") panel.toggle();
  });
  const panel: MembersPanel = {
    element: element_,
    open: matchMedia("(min-width: 1100px)").matches,
    toggled: () => {},
    toggle() {
      this.open = !this.open;
      element_.hidden = !this.open;
      this.toggled(this.open);
      const focus = this.open ? element_ : document;
      focus.querySelector<HTMLElement>(this.open ? "button" : "[data-testid=toggle-members]")
        ?.focus();
    },
    stop: room.on("member", refresh),
  };
  element_.hidden = !panel.open;
  refresh();
  return panel;
}

async function readMembers(chat: Chat, room: string): Promise<Member[]> {
  const members: Member[] = [];
  let next: string | null | undefined;
  do {
    const page = await chat.client.rest.members(room, next);
    members.push(...page.items);
    next = page.next;
  } while (next !== null && members.length < MAX_MEMBERS);
  return members;
}

function showMembers(
  members: Member[],
  lists: HTMLElement,
  row: (member: Member) => HTMLElement,
): void {
  const part = (title: string, wanted: (member: Member) => boolean) => {
    const found = members.filter(wanted);
    if (found.length === 0) return [];
    return [
      element("h3", {}, `${title} `, element("span", { class: "muted" }, String(found.length))),
      element("ul", { class: "results" }, ...found.map(row)),
    ];
  };
  fill(
    lists,
    ...part("People", ({ principal }) => principal.kind !== "device"),
    ...part("Devices", ({ principal }) => principal.kind === "device"),
  );
}

function memberRow(
  chat: Chat,
  listed: ListedRoom,
  { principal, role }: Member,
  presence: PresenceDots,
  changed: () => void,
): HTMLElement {
  const { id, kind, name } = principal;
  const me = id === chat.me.id;
  const mayRemove = listed.info.kind === "group" && !me && role !== "owner" &&
    (listed.info.role === "owner" || listed.info.role === "admin");
  const remove = () =>
    askFirst(
      `Remove ${name}?`,
      `${name} will receive nothing more from this room.`,
      "Remove",
      () => void attempt(() => chat.client.rest.removeMember(listed.room.id, id).then(changed)),
    );
  const small = (label: string, name: IconName, run: () => void) =>
    element("button", {
      type: "button",
      class: "button button-icon button-small",
      "aria-label": label,
      title: label,
      onclick: run,
    }, icon(name));
  const tags = [kind === "user" ? "" : kind, role === "member" ? "" : role];
  const tag = tags.filter((word) => word !== "").join(", ");
  return element(
    "li",
    { class: "result", "data-testid": "member", "data-principal": id, "data-kind": kind },
    withDot(avatar(principal), presence.dot(id)),
    element(
      "span",
      { class: "result-text" },
      element("strong", { class: "clip" }, me ? `${name} (you)` : name),
      tag !== "" && element("span", { class: "muted" }, tag),
    ),
    !me && kind === "user" && listed.info.kind === "group" &&
      small(`Message ${name}`, "message", () => void openDirect(chat, id)),
    mayRemove && small(`Remove ${name}`, "remove", remove),
  );
}

function askToLeave(chat: Chat, listed: ListedRoom): void {
  askFirst(
    `Leave ${roomName(listed)}?`,
    listed.info.visibility === "public"
      ? "You can join again whenever you like."
      : "Only an invitation brings you back.",
    "Leave",
    () => void attempt(() => chat.directory.leave(listed.room.id)),
  );
}

function button(label: string, name: IconName, testid: string, run: () => void): HTMLElement {
  return element(
    "button",
    {
      type: "button",
      class: "button button-wide",
      "data-testid": testid,
      onclick: run,
    },
    icon(name),
    label,
  );
}
