import type { Member } from "../../lib/client/mod.ts";
import type { Chat } from "./chat.ts";
import { openDeviceDialog } from "./device_dialog.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { askFirst } from "./dialog.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";
import type { IconName } from "./icon.ts";
import { memberRow } from "./member_row.ts";
import type { MemberRowOptions } from "./member_row.ts";
import { attempt } from "./notice.ts";
import { openInviteDialog } from "./people_dialog.ts";
import { onNextFrame } from "./room_list.ts";

const MAX_MEMBERS = 1000;

/** The panel with the members of a room. */
export interface MembersPanel {
  element: HTMLElement;
  open: boolean;
  toggle(): void;
  /** Another panel stands in its place; `uncover` takes that away. Undefined: it does no more. */
  cover(uncover: (() => void) | undefined): void;
  toggled: (open: boolean) => void;
  stop(): void;
}

/** What the panel needs of the conversation beside it. */
export interface MembersOptions extends Pick<MemberRowOptions, "presence" | "openDevice"> {
  /** Called with all members when they were read. */
  learned(members: Member[]): void;
}

/** Lists people and devices of a room and lets one add and remove them. */
export function membersPanel(
  chat: Chat,
  listed: ListedRoom,
  { presence, openDevice, learned }: MembersOptions,
): MembersPanel {
  const { room, info } = listed;
  const lists = element("div", { class: "member-lists" });
  const refresh = onNextFrame(async () => {
    const members = await readMembers(chat, room.id).catch(() => undefined);
    if (members === undefined) return;
    learned(members);
    showMembers(
      members,
      lists,
      (member) => memberRow({ chat, listed, member, presence, openDevice, changed: refresh }),
    );
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
  let covered: (() => void) | undefined;
  const panel: MembersPanel = {
    element: element_,
    open: matchMedia("(min-width: 1100px)").matches,
    toggled: () => {},
    toggle() {
      this.open = covered !== undefined || !this.open;
      covered?.();
      element_.hidden = !this.open;
      this.toggled(this.open);
      const focus = this.open ? element_ : document;
      focus.querySelector<HTMLElement>(this.open ? "button" : "[data-testid=toggle-members]")
        ?.focus();
    },
    cover(uncover) {
      covered = uncover;
      element_.hidden = covered !== undefined || !this.open;
      this.toggled(!element_.hidden);
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
