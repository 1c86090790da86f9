import type { CommandStatus, Message, MessageCommand } from "../../lib/client/mod.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import type { IconName } from "./icon.ts";
import { messageBody } from "./message_body.ts";
import { stateWords } from "./entry_line.ts";

const STATUS: Record<CommandStatus, { label: string; icon: IconName }> = {
  queued: { label: "Waiting for the device", icon: "clock" },
  done: { label: "Done", icon: "check" },
  failed: { label: "Failed", icon: "warning" },
  expired: { label: "Expired: the device did not answer in time", icon: "warning" },
  cancelled: { label: "Cancelled", icon: "close" },
};

/** What a command's row shows besides the command. */
export interface CommandPlace {
  /** The device's name; its id serves where the name is not known. */
  device: string | undefined;
  /** The device's answer, when it is held. */
  answer: Message | undefined;
  open(device: string): void;
  /** Takes the command back; absent where one may not. */
  cancel?: () => void;
}

/** A command: whom it asks for what, what became of it, and the answer below. */
export function commandBlock(command: MessageCommand, place: CommandPlace): HTMLElement {
  const { status, device, name, args } = command;
  const { cancel } = place;
  const said = STATUS[status];
  return element(
    "div",
    { class: "command-block", "data-testid": "command", "data-status": status },
    element(
      "p",
      { class: "command-line" },
      element("button", {
        type: "button",
        class: "device-link",
        onclick: () => place.open(device),
      }, place.device ?? device),
      element("strong", { "data-testid": "command-name" }, name),
      Object.keys(args).length > 0 &&
        element("span", { "data-testid": "command-args" }, stateWords(args)),
    ),
    element(
      "p",
      { class: `command-status command-${status}`, "data-testid": "command-status" },
      icon(said.icon),
      element("span", {}, said.label),
      status === "queued" && cancel !== undefined && element("button", {
        type: "button",
        class: "button button-small",
        "data-testid": "cancel-command",
        onclick: cancel,
      }, "Cancel"),
    ),
    place.answer !== undefined && place.answer.deletedAt === undefined && element(
      "div",
      { class: "command-answer", "data-testid": "command-answer" },
      ...messageBody(place.answer),
    ),
  );
}

/** An answer this soon after its command is shown with the command alone; a later one also below. */
const TOGETHER_MS = 60_000;

/** The seqs of answers that are shown with their commands, and need no row of their own. */
export function foldedAnswers(messages: readonly Message[]): Set<number> {
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  const folded = messages.filter((message) => {
    const asked = message.replyTo === undefined ? undefined : bySeq.get(message.replyTo);
    return asked?.command?.answer === message.seq &&
      Date.parse(message.at) - Date.parse(asked.at) < TOGETHER_MS;
  });
  return new Set(folded.map(({ seq }) => seq));
}
