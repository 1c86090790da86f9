import type { RoomInfo } from "../../lib/client/mod.ts";
import type { Chat } from "./chat.ts";
import { openDialog } from "./dialog.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import { attempt } from "./notice.ts";
import { searchList } from "./search_list.ts";

/** Lists public rooms and joins one. */
export function openBrowseDialog(chat: Chat): void {
  const join = async (room: RoomInfo) => {
    const answer = await attempt(() => chat.client.rest.joinRoom(room.id));
    if (answer === undefined) return;
    dialog.close();
    chat.directory.add(answer.room);
    chat.open(room.id);
  };
  const open = (room: RoomInfo) => {
    dialog.close();
    chat.open(room.id);
  };
  const list = searchList<RoomInfo>({
    label: "Find a public room",
    testid: "browse-query",
    empty: "No public room has that name.",
    minChars: 0,
    find: async (query) =>
      (await chat.client.rest.publicRooms(query === "" ? undefined : query)).items,
    show(room) {
      const member = chat.directory.get(room.id) !== undefined;
      return element(
        "div",
        { class: "result" },
        element("span", { class: "avatar avatar-room" }, icon("room")),
        element(
          "span",
          { class: "result-text" },
          element("strong", {}, room.name),
          room.topic !== "" && element("span", { class: "muted clip" }, room.topic),
        ),
        element("button", {
          type: "button",
          class: "button",
          "data-testid": "join-room",
          "aria-label": `${member ? "Open" : "Join"} ${room.name}`,
          onclick: () => member ? open(room) : void join(room),
        }, member ? "Open" : "Join"),
      );
    },
  });
  const dialog = openDialog("Browse rooms", list);
}
