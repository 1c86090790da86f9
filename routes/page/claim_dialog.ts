import type { Chat } from "./chat.ts";
import type { ListedRoom } from "./directory.ts";
import { roomName } from "./directory.ts";
import { openDialog } from "./dialog.ts";
import { element } from "./element.ts";
import { notice } from "./notice.ts";
import { problemText } from "./problem_text.ts";
import { field } from "./sign_in.ts";

/** What is known when the dialog opens. */
export interface ClaimOptions {
  /** The room to begin with. */
  room?: string | undefined;
  /** The code, when a link carried it. */
  code?: string;
  claimed?: () => void;
}

/** Takes in a device that shows a code: whose it becomes, what it is called, and where it goes. */
export function openClaimDialog(chat: Chat, { room, code = "", claimed }: ClaimOptions = {}): void {
  const problem = element("p", { class: "problem", role: "alert", "data-testid": "claim-problem" });
  const submit = element("button", {
    class: "button button-primary",
    "data-testid": "claim-submit",
  }, "Take it in");
  const form = element(
    "form",
    { class: "stack", novalidate: true },
    element(
      "p",
      { class: "muted" },
      "Enter the code that the device shows. It fetches its credentials by itself then.",
    ),
    field("Code", {
      name: "code",
      value: code,
      maxlength: "32",
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      placeholder: "WDJB-MJHT",
      "data-testid": "claim-code",
    }),
    field("Device name", { name: "name", maxlength: "80", "data-testid": "claim-name" }, true),
    roomChoices(chat, room),
    problem,
    element("div", { class: "dialog-actions" }, submit),
  );
  form.onsubmit = async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const userCode = String(data.get("code")).trim();
    const name = String(data.get("name")).trim();
    if (userCode === "") {
      problem.textContent = "Enter the code first.";
      return;
    }
    submit.disabled = true;
    try {
      const { device } = await chat.client.rest.ownDevices.approveClaim({
        userCode,
        rooms: data.getAll("rooms").map(String),
        ...(name === "" ? {} : { name }),
      });
      dialog.close();
      notice(`${device.name} is yours now. It connects within a few seconds.`);
      claimed?.();
    } catch (error) {
      problem.textContent = claimProblem(error);
      submit.disabled = false;
    }
  };
  const dialog = openDialog("Enter a device's code", form);
}

/** The rooms where one may bring a device in. */
function roomChoices(chat: Chat, chosen: string | undefined): HTMLElement {
  const rooms = chat.directory.rooms.filter(mayAdd);
  return element(
    "fieldset",
    { class: "choices claim-rooms" },
    element("legend", {}, "Rooms it becomes a member of"),
    ...rooms.map((listed) =>
      element(
        "label",
        { class: "choice" },
        element("input", {
          type: "checkbox",
          name: "rooms",
          value: listed.room.id,
          checked: listed.room.id === chosen,
        }),
        element("span", {}, roomName(listed)),
      )
    ),
    rooms.length === 0 && element("p", { class: "muted" }, "You are an owner of no room yet."),
  );
}

function mayAdd({ info }: ListedRoom): boolean {
  return info.kind === "group" && (info.role === "owner" || info.role === "admin");
}

function claimProblem(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === "not_found") return "No device shows this code. Compare it, and try again.";
  if (code === "claim_expired") return "This code has expired. The device shows a new one soon.";
  return problemText(error);
}

/** The code in an address such as `#claim=WDJB-MJHT`; empty for `#claim`, undefined for others. */
export function claimedIn(hash: string): string | undefined {
  const found = /^#claim(?:=([A-Za-z-]{0,32}))?$/.exec(hash);
  return found === null ? undefined : found[1] ?? "";
}
