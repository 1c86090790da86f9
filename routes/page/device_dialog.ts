import type { Device } from "../../lib/client/mod.ts";
import { avatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { openClaimDialog } from "./claim_dialog.ts";
import { deviceAccessView } from "./device_access_view.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { openDialog } from "./dialog.ts";
import { element, fill } from "./element.ts";
import { attempt } from "./notice.ts";
import { problemText } from "./problem_text.ts";
import { field } from "./sign_in.ts";

/** Makes a device, adds it to the room and shows once how it connects. */
export function openDeviceDialog(chat: Chat, listed: ListedRoom, added: () => void): void {
  const room = listed.room.id;
  const problem = element("p", { class: "problem", role: "alert" });
  const submit = element("button", {
    class: "button button-primary",
    "data-testid": "create-device",
  }, "Create and add");
  const claim = element("button", {
    type: "button",
    class: "button",
    "data-testid": "claim-device",
    onclick: () => {
      dialog.close();
      openClaimDialog(chat, { room, claimed: added });
    },
  }, "Enter a code …");
  const form = element(
    "form",
    { class: "stack", novalidate: true },
    element(
      "p",
      { class: "muted" },
      "A device speaks MQTT and takes part like everyone else: what it sends is stored in this room.",
    ),
    field("Device name", { name: "name", maxlength: "80", "data-testid": "device-name" }),
    problem,
    element("div", { class: "dialog-actions" }, claim, submit),
  );
  form.onsubmit = async (event) => {
    event.preventDefault();
    const name = String(new FormData(form).get("name")).trim();
    if (name === "") {
      problem.textContent = "Give the device a name.";
      return;
    }
    submit.disabled = true;
    try {
      const made = await chat.client.rest.ownDevices.create({ name });
      fill(dialog.body, ...deviceAccessView(made, room));
      dialog.body.querySelector<HTMLElement>("[data-testid=copy]")?.focus();
      await attempt(() => chat.client.rest.putMember(room, made.device.id, "member"));
      added();
    } catch (error) {
      problem.textContent = problemText(error);
      submit.disabled = false;
    }
  };
  const dialog = openDialog(`Add a device to ${roomName(listed)}`, form);
  void offerKnown(chat, dialog.body, async (device) => {
    const member = await attempt(() => chat.client.rest.putMember(room, device.id, "member"));
    if (member === undefined) return;
    dialog.close();
    added();
  });
}

/** Devices that exist already need no new password. */
async function offerKnown(
  chat: Chat,
  body: HTMLElement,
  choose: (device: Device) => void,
): Promise<void> {
  const devices = (await attempt(() => chat.client.rest.ownDevices.list()))?.items ?? [];
  if (devices.length === 0 || body.querySelector("form") === null) return;
  const rows = devices.map((device) =>
    element(
      "li",
      { class: "result" },
      avatar({ ...device, kind: "device" }),
      element("strong", { class: "result-text" }, device.name),
      element("button", {
        type: "button",
        class: "button",
        "aria-label": `Add ${device.name}`,
        onclick: () => choose(device),
      }, "Add"),
    )
  );
  body.append(
    element("h3", { class: "dialog-part" }, "Or one of your devices"),
    element("ul", { class: "results" }, ...rows),
  );
}
