import type { FoundUser } from "../../lib/client/mod.ts";
import { avatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { openDialog } from "./dialog.ts";
import { element } from "./element.ts";
import { attempt, notice } from "./notice.ts";
import { searchList } from "./search_list.ts";

/** Finds somebody by name and opens the direct room with them. */
export function openMessageDialog(chat: Chat): void {
  const dialog = openDialog(
    "Message someone",
    peopleList(chat, "Message", async (person) => {
      if (await openDirect(chat, person.id)) dialog.close();
    }),
  );
}

/** Finds people by name and adds them to a room. */
export function openInviteDialog(chat: Chat, listed: ListedRoom, added: () => void): void {
  const put = async (person: FoundUser, button: HTMLButtonElement) => {
    const answer = await attempt(() =>
      chat.client.rest.putMember(listed.room.id, person.id, "member")
    );
    if (answer === undefined) return;
    button.disabled = true;
    button.textContent = "Added";
    notice(`${person.name} is now in ${roomName(listed)}.`);
    added();
  };
  openDialog(`Invite to ${roomName(listed)}`, peopleList(chat, "Add", put));
}

/** Shows the direct room with somebody, made when there is none. */
export async function openDirect(chat: Chat, person: string): Promise<boolean> {
  const answer = await attempt(() => chat.client.rest.directRoom(person));
  if (answer === undefined) return false;
  chat.directory.add(answer.room);
  chat.open(answer.room.id);
  return true;
}

function peopleList(
  chat: Chat,
  verb: string,
  choose: (person: FoundUser, button: HTMLButtonElement) => void,
): HTMLElement {
  return searchList<FoundUser>({
    label: "Name or username",
    testid: "people-query",
    empty: "Nobody has that name.",
    minChars: 1,
    find: async (query) =>
      (await chat.client.rest.searchUsers(query)).items.filter(({ id }) => id !== chat.me.id),
    show(person) {
      const button = element("button", {
        type: "button",
        class: "button",
        "data-testid": "person",
        "data-principal": person.id,
        "aria-label": `${verb} ${person.name}`,
        onclick: () => choose(person, button),
      }, verb);
      return element(
        "div",
        { class: "result" },
        avatar(person),
        element(
          "span",
          { class: "result-text" },
          element("strong", {}, person.name),
          person.username !== undefined &&
            element("span", { class: "muted clip" }, `@${person.username}`),
        ),
        button,
      );
    },
  });
}
