import type { Chat } from "./chat.ts";
import { openDialog } from "./dialog.ts";
import { element } from "./element.ts";
import { problemText } from "./problem_text.ts";
import { field } from "./sign_in.ts";

/** Asks for a new room's name and who may find it, makes it and shows it. */
export function openNewRoomDialog(chat: Chat): void {
  const problem = element("p", { class: "problem", role: "alert" });
  const submit = element("button", {
    class: "button button-primary",
    "data-testid": "create-room",
  }, "Create room");
  const form = element(
    "form",
    { class: "stack" },
    field("Name", { name: "name", maxlength: "80", "data-testid": "room-name" }),
    field("Topic", { name: "topic", maxlength: "500", "data-testid": "room-topic" }, true),
    element(
      "fieldset",
      { class: "choices" },
      element("legend", {}, "Who can find it"),
      choice("private", "Private", "Only people and devices you invite.", true),
      choice("public", "Public", "Everyone who is signed in can find, read and join it.", false),
    ),
    problem,
    element("div", { class: "dialog-actions" }, submit),
  );
  form.onsubmit = async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const name = String(data.get("name")).trim();
    if (name === "") {
      problem.textContent = "Give the room a name.";
      return;
    }
    const topic = String(data.get("topic")).trim();
    const visibility = data.get("visibility") === "public" ? "public" : "private";
    submit.disabled = true;
    try {
      const { room } = await chat.client.rest.createRoom({
        name,
        visibility,
        ...(topic === "" ? {} : { topic }),
      });
      dialog.close();
      chat.directory.add(room);
      chat.open(room.id);
    } catch (error) {
      problem.textContent = problemText(error);
      submit.disabled = false;
    }
  };
  form.noValidate = true;
  const dialog = openDialog("New room", form);
}

function choice(value: string, label: string, hint: string, checked: boolean): HTMLElement {
  return element(
    "label",
    { class: "choice" },
    element("input", { type: "radio", name: "visibility", value, checked }),
    element("span", {}, element("strong", {}, label), element("span", { class: "muted" }, hint)),
  );
}
