import type { Member, PublicPrincipal } from "../../lib/client/mod.ts";
import { avatar, withDot } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import type { ListedRoom } from "./directory.ts";
import { askFirst } from "./dialog.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import type { IconName } from "./icon.ts";
import { attempt } from "./notice.ts";
import { openDirect } from "./people_dialog.ts";
import type { PresenceDots } from "./presence_dots.ts";

/** What a member's row shows, and whom it tells. */
export interface MemberRowOptions {
  chat: Chat;
  listed: ListedRoom;
  member: Member;
  presence: PresenceDots;
  openDevice(device: PublicPrincipal): void;
  /** The member was removed. */
  changed(): void;
}

/** One member: who, whether online, and what one may do about it. */
export function memberRow(
  { chat, listed, member, presence, openDevice, changed }: MemberRowOptions,
): HTMLElement {
  const { principal, role } = member;
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
      kind === "device"
        ? element("button", {
          type: "button",
          class: "device-link clip",
          "data-testid": "open-device",
          onclick: () => openDevice(principal),
        }, name)
        : element("strong", { class: "clip" }, me ? `${name} (you)` : name),
      kind === "device"
        ? presence.words(id)
        : tag !== "" && element("span", { class: "muted" }, tag),
    ),
    !me && kind === "user" && listed.info.kind === "group" &&
      small(`Message ${name}`, "message", () => void openDirect(chat, id)),
    mayRemove && small(`Remove ${name}`, "remove", remove),
  );
}
